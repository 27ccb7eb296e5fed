"""A library with kiosks and a library system: its sidecar's journal and its system's exports come into one lake."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors import flow_models
from connectors.circulation.domain import Checkin, Checkout, Credentials, Outcome, Renew
from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.lake import inbound
from connectors.ils import inbound as ils
from include.engine.delivery import Delivery
from include.engine.dispatch.start import start
from include.engine.ledger import Ledger
from tests import house as building
from tests.conftest import sqlite_ledger
from tests.flows.files import ITEMS, PATRONS, csv, item

YAML = """\
name: Havnsund Forskningsbibliotek
isil: DK-899002
timezone: Europe/Copenhagen
language: da
status: {status}
flows:
  ils_import:
    profile: koha
    inbox: file:inbox/havnsund
    every: 0s
    ready: {{stable_for: 0s}}
    after_block: continue
    deliveries:
      - {{table: item, files: "items_*", mode: delta}}
      - {{table: patron, files: "patrons_*", mode: delta}}
      - {{table: loan, files: "loans_*.csv", mode: delta, loans: {loans}}}
  circulation_journal:
    schedule: "{schedule}"
    wait: {wait}
    after_block: continue
  circulation_fill:
    schedule: "0 3 29 2 *"
    patience: 0s
"""
LOANS = "issue_id,borrowernumber,itemnumber,issuedate,date_due,returndate,renewals_count,branchcode"


@dataclass
class House(building.House):
    """The house of these tests; `kiosk` is the sidecar's back end, at `now`."""

    connector: ModuleType = inbound
    partner: str = "havnsund"
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(hours=8))
    kiosk: Embedded | None = None
    _turn: int = 0

    @property
    def folder(self) -> Path:
        return self.engine.home / "circulation"

    def settle(self, *, status: str = "live", loans: str = "history", wait: str = "0s", schedule: str = "0 3 29 2 *") -> None:
        """Write the partner's file. Its schedules fall due in leap years alone: not while a test runs, whatever the hour."""
        self.write(YAML.format(status=status, loans=loans, wait=wait, schedule=schedule))

    def open(self) -> Embedded:
        """Start the sidecar's back end; it knows two patrons and five items."""
        self.kiosk = opened(self.folder, self.engine.keys, Rules(), now=lambda: self.now)
        if not list(self.kiosk.store.rows("patron")):
            self.kiosk.store.fill("patron", [{"patron": str(n), "name": f"Reader {n}"} for n in (1, 2)])
            self.kiosk.store.fill("card", [{"card": f"C{n}", "patron": str(n)} for n in (1, 2)])
            self.kiosk.store.fill("item", [{"item": f"B{n:05}", "title_id": f"t{n}"} for n in range(1, 6)])
            self.kiosk.commit()
        return self.kiosk

    def at(self, **later: float) -> None:
        """The clock goes on."""
        self.now += timedelta(**later)

    def do(self, kind: type, **asked: Any) -> Outcome:
        """A kiosk asks."""
        assert self.kiosk is not None
        self._turn += 1
        asked = {"patron": Credentials(asked.pop("card"))} | asked if "card" in asked else asked
        outcome: Outcome = asyncio.run(self.kiosk.perform(kind("k1", self.now, "main", key=f"key{self._turn}", **asked)))
        assert outcome.ok, outcome.reason
        return outcome

    def borrow(self, item: int, card: str = "C1", **more: Any) -> str:
        """A loan; returns the kiosk's number for it."""
        self.do(Checkout, item=f"B{item:05}", card=card, **more)
        return f"kiosk:B{item:05}:{self.now:%Y%m%dT%H%M%SZ}"

    def bring(self, item: int, **more: Any) -> None:
        self.do(Checkin, item=f"B{item:05}", **more)

    def renew(self, item: int, card: str = "C1") -> None:
        self.do(Renew, item=f"B{item:05}", card=card)

    def started(self) -> Delivery:
        self.connector = inbound
        made = start(self.engine, self.partner, "circulation_journal", who="kirsten")
        assert [one.id for one in self.claimed()] == [made.id]
        return made

    def read(self) -> Delivery:
        """The journal's flow, all the way."""
        return self.run(self.started().id)

    def export(self, name: str, content: bytes) -> Delivery:
        """The library system delivers."""
        self.connector = ils
        return self.deliver(name, content)

    def loans(self, *rows: str) -> Delivery:
        """Rows of Koha's loans: see `lent`."""
        self._turn += 1
        return self.export(f"loans_{self._turn}.csv", csv(LOANS, list(rows)))

    def lent(self, number: int, item: int, at: datetime, *, patron: str = "1", back: datetime | None = None, renewals: int = 0) -> str:
        """A row of Koha's, whose clock shows the library's own time."""
        from zoneinfo import ZoneInfo

        zone = ZoneInfo("Europe/Copenhagen")
        when, returned = (f"{one.astimezone(zone):%Y-%m-%d %H:%M:%S}" if one else "" for one in (at, back))
        return f"{number},{patron},{item},{when},{(at + timedelta(days=30)).date()},{returned},{renewals},MAIN"

    def told(self) -> set[tuple[str, str, str]]:
        """Number, event and its number of every row of the lake's loans."""
        return {(row["loan_id"], row["event"], row["event_id"]) for row in self.rows("loan")}


@pytest.fixture
def empty(tmp_path: Path, ledger: Ledger) -> Iterator[House]:
    """An installation whose lake knows nothing yet."""
    house = House.build(tmp_path, ledger, inbound, flow_models(), "havnsund")
    assert isinstance(house, House)
    house.settle()
    house.open()
    yield house
    if house.kiosk is not None:
        house.kiosk.close()


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    """An installation whose library system has delivered its items and patrons: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("delivered")
    made = House.build(folder, sqlite_ledger(folder / "ledger.db", migrated_file), inbound, flow_models(), "havnsund")
    assert isinstance(made, House)
    made.settle()
    made.export("items_1.csv", csv(ITEMS, [item(n) for n in range(1, 6)]))
    made.export("patrons_1.csv", csv(PATRONS, [f"{n},C{n},Holm,Ida,1990-01-01,MAIN,PT," for n in (1, 2)]))
    with made.engine.ledger.autocommit() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.fixture
def house(tmp_path: Path, delivered: Path) -> Iterator[House]:
    """One whose library system has delivered its items and patrons."""
    house = House.build(tmp_path, sqlite_ledger(tmp_path / "ledger.db", delivered / "ledger.db"), inbound, flow_models(), "havnsund")
    assert isinstance(house, House)
    shutil.copytree(delivered / "home", house.engine.home, dirs_exist_ok=True)
    house.settle()
    house.open()
    yield house
    if house.kiosk is not None:
        house.kiosk.close()
