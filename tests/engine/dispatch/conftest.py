"""Partners with scheduled flows and inboxes of their own, and a clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
import time_machine

from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Delivery
from include.engine.dispatch.look import look
from include.engine.engine import Engine
from include.engine.ledger import Ledger
from include.engine.partner.settings import InboxFlow, ScheduledFlow
from tests.house import MASTER

INBOX = """\
name: {id}
timezone: Europe/Copenhagen
flows:
  drop:
    inbox: {inbox}
    every: {every}
    ready: {ready}
    enabled: {enabled}
    deliveries: [{{table: item, files: "items_*"}}, {{table: loan, files: "loans_*"}}]
"""


@dataclass
class Desk:
    """What dispatch sees: the partners' YAML and their folders."""

    engine: Engine
    environment: dict[str, str] = field(default_factory=dict)

    def partner(self, id: str, **settings: str) -> Path:
        """Write a partner with one inbox; returns its local folder."""
        known = {"inbox": f"file:inbox/{id}", "every": "0s", "ready": "{stable_for: 0s}", "enabled": "true"}
        (self.engine.partners_folder / f"{id}.yaml").write_text(INBOX.format(id=id, **known | settings))
        folder = self.engine.home / "inbox" / id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def scheduled(self, id: str, schedule: str, zone: str = "Europe/Copenhagen") -> None:
        flow = f'flows:\n  harvest: {{schedule: "{schedule}"}}\n'
        (self.engine.partners_folder / f"{id}.yaml").write_text(f"name: {id}\ntimezone: {zone}\n{flow}")

    def look(self, at: datetime, patience: float = 10) -> list[Delivery]:
        with time_machine.travel(at, tick=False):
            return look(self.engine, patience)


@pytest.fixture
def desk(tmp_path: Path, ledger: Ledger) -> Desk:
    (tmp_path / "partners").mkdir()
    environment = dict(MASTER)
    flows = {"drop": InboxFlow, "harvest": ScheduledFlow}
    return Desk(Engine(tmp_path / "home", ledger, EnvironmentCredentials(environment), flows, tmp_path / "partners"), environment)
