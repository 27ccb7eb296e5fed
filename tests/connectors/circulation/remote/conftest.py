"""Each library system in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.remote.site import Site, running


@pytest.fixture(params=["koha", "folio"])
def site(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Site]:
    with running(request.param, clock) as found:
        yield found
