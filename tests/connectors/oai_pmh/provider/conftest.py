"""A shelf or an installation of one's own, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine

from connectors.oai_pmh.provider.settings import FLOWS
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.ledger import Ledger
from tests.connectors.oai_pmh.provider.house import Shelf
from tests.connectors.oai_pmh.provider.installation import Installation
from tests.house import MASTER

START = 1_800_000_000  # 2027-01-15T08:00:00Z


@pytest.fixture
def now() -> Iterator[time_machine.Traveller]:
    """The clock, standing at START; `now.shift(seconds)` moves it."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger, now: time_machine.Traveller) -> Iterator[Installation]:
    (tmp_path / "partners").mkdir()
    engine = Engine(tmp_path / "home", ledger, EnvironmentCredentials(MASTER), FLOWS, tmp_path / "partners")
    made = Installation(engine, now)
    made.partner("lindeby")
    yield made
