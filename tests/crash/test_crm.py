"""Two seeds of the killed syncs; `make crash-crm` plays fifty."""

from __future__ import annotations

import pytest

from tests.crash.crm import seeds

pytestmark = pytest.mark.crash


def test_a_sync_that_is_killed_again_and_again_brings_every_record_once_and_as_it_is() -> None:
    found = list(seeds(range(1, 3)))
    assert [one.wrong for one in found] == [[], []]
    assert sum(one.killed for one in found) > 0
