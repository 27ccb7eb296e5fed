"""A shelf of one's own, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine

from tests.connectors.oai_pmh.provider.house import Shelf

START = 1_800_000_000  # 2027-01-15T08:00:00Z


@pytest.fixture
def now() -> Iterator[time_machine.Traveller]:
    """The clock, standing at START; `now.shift(seconds)` moves it."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)
