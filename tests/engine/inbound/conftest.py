"""An installation of one's own: a home, a ledger, one partner with a local inbox."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
import time_machine

from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Delivery
from include.engine.dispatch.look import look
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.lake import read as lake_read
from include.engine.ledger import Ledger, deliveries
from include.engine.partner.settings import InboxFlow
from tests.engine.inbound import paper

MASTER = {"AIRFLOW_CONN_BINDERY_MASTER": '{"conn_type": "generic", "password": "' + base64.b64encode(bytes(32)).decode() + '"}'}
PARTNER = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
language: {language}
status: {status}
flows:
  paper_import:
    inbox: file:inbox/lindeby
    every: 0s
    ready: {{stable_for: 0s}}
    after: {after}
    after_block: {after_block}
    deliveries:
      - {{table: holding, files: "hold_*", mode: {mode}{more}}}
"""


@dataclass
class House:
    """The engine, and what a person does around it: drop files, let dispatch look, run the steps."""

    engine: Engine
    ahead: timedelta = timedelta(0)

    @property
    def inbox(self) -> Path:
        return self.engine.home / "inbox" / "lindeby"

    def settle(self, *, language="en", status="live", after="archive", after_block="wait", mode="full", more="") -> None:
        """Write the partner's YAML."""
        text = PARTNER.format(language=language, status=status, after=after, after_block=after_block, mode=mode, more=more)
        (self.engine.partners_folder / "lindeby.yaml").write_text(text)

    def drop(self, name: str, text: str | bytes) -> Path:
        self.inbox.mkdir(parents=True, exist_ok=True)
        (self.inbox / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return self.inbox / name

    def claimed(self, later: float = 0) -> list[Delivery]:
        """What dispatch starts, with a second look `later` seconds after the first."""
        with time_machine.travel(clock.now() + self.ahead):
            found = look(self.engine, patience=10)
        if later:
            self.ahead += timedelta(seconds=later)
            found += self.claimed()
        return found

    def run(self, delivery_id: str, connector: ModuleType = paper) -> Delivery:
        """The four tasks, as Airflow runs them: after a failure only the last."""
        for step in (receive, gate, publish):
            try:
                step(self.engine, delivery_id, connector)
            except BinderyError:
                break
        acknowledge(self.engine, delivery_id, connector)
        return self.get(delivery_id)

    def deliver(self, name: str, text: str | bytes) -> Delivery:
        """Drop a file and take it all the way; an empty one rests first."""
        self.drop(name, text)
        [claimed] = self.claimed(later=0 if text else 31)
        return self.run(claimed.id)

    def get(self, delivery_id: str) -> Delivery:
        return deliveries.get(self.engine.ledger, delivery_id)

    def rows(self, table: str = "holding") -> list[dict]:
        found = lake_read.read(self.engine.lake, table, partner="lindeby").to_pylist()
        return sorted(found, key=lambda row: row[f"{table}_id"])

    def receipt(self, delivery: Delivery) -> str:
        return (self.engine.home / "receipts" / "lindeby" / f"{delivery.id}.txt").read_text()


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger) -> House:
    """An empty installation whose partner delivers holdings."""
    partners = tmp_path / "partners"
    partners.mkdir()
    home = tmp_path / "home"
    made = House(Engine(home, ledger, EnvironmentCredentials(MASTER), {"paper_import": InboxFlow}, partners))
    (home / "inbox" / "lindeby").mkdir(parents=True)
    made.settle()
    return made


@pytest.fixture
def connector() -> ModuleType:
    return sys.modules[paper.__name__]


Deliver = Callable[[str, str], Delivery]
