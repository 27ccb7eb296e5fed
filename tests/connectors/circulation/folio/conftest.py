"""A FOLIO that runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.remote.site import Site, running


@pytest.fixture
def site(clock: Clock) -> Iterator[Site]:
    with running("folio", clock) as found:
        yield found
