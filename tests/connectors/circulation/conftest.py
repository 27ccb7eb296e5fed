"""A small library in an embedded store: three patrons, five items, one clock that tests move."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.rules import Limits, Line, Rules
from connectors.circulation.embedded.store import ADDRESS
from connectors.circulation.pins import hashed
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.running import Raw, running

PIN = hashed("1234")


class Clock:
    """The time it is; tests move it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def on(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def rules() -> Rules:
    return Rules(
        defaults=Limits(loan_days=28, renewals=2, loans=4, holds=2, fees=100),
        rules=(
            Line(material="dvd", loan_days=7, age_from=15, loans=1),
            Line(material="reference", loan_days=0),
            Line(category="class", loans=50),
        ),
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / f"circulation{secrets.token_hex(6)}"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the store is; of PostgreSQL each test's folder has a schema of its own."""
    if request.param == "postgres":
        monkeypatch.setenv(ADDRESS, request.getfixturevalue("postgres_url"))
    return str(request.param)


@pytest.fixture
def library(database: str, home: Path, keys: MemoryKeyStore, rules: Rules, clock: Clock) -> Iterator[Embedded]:
    library = opened(home, keys, rules, now=clock)
    store = library.store
    store.fill(
        "patron",
        [
            {"patron": "p1", "name": "Reader One", "category": "adult", "pin": PIN, "home_library": "main", "birth_date": "1980-05-01"},
            {"patron": "p2", "name": "Reader Two", "category": "child", "home_library": "north", "birth_date": "2016-11-21"},
            {"patron": "p3", "name": "Class 4B", "category": "class", "valid_until": "2026-11-19"},
        ],
    )
    store.fill("card", [{"card": f"c{n}", "patron": f"p{n}"} for n in (1, 2, 3)] + [{"card": "c1b", "patron": "p1"}])
    store.fill(
        "item",
        [
            {"item": "b1", "title_id": "t1", "title": "One book", "material": "book", "owner": "main", "location": "main"},
            {"item": "b2", "title_id": "t1", "title": "One book", "material": "book", "owner": "north", "location": "main"},
            {"item": "d1", "title_id": "t2", "title": "A film", "material": "dvd", "owner": "main", "location": "main"},
            {"item": "d2", "title_id": "t3", "title": "A film too", "material": "dvd", "owner": "main", "location": "main"},
            {"item": "r1", "title_id": "t4", "title": "A dictionary", "material": "reference", "owner": "main", "location": "main"},
        ],
    )
    store.commit()
    yield library
    library.close()


@pytest.fixture
def kiosk(library: Embedded, clock: Clock) -> Iterator[Raw]:
    """A machine that has logged in, over a real socket."""
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        yield kiosk


def take_over(library: Embedded, again: Embedded) -> None:
    """The fixture's library is now the one that was opened again: what is open is closed by the fixture."""
    for name in ("store", "terms", "pins", "committed", "tap", "_journal", "_now", "_folder", "_keys", "_reported"):
        setattr(library, name, getattr(again, name))
