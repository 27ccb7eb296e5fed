"""An installation of one's own whose partner delivers holdings to a connector as small as one can be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from include.engine.delivery import Delivery
from include.engine.ledger import Ledger
from include.engine.partner.settings import InboxFlow
from tests import house as building
from tests.engine.inbound import paper

MASTER = building.MASTER
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
class House(building.House):
    """The house of these tests: its partner's settings in a few words."""

    connector: ModuleType = paper
    partner: str = "lindeby"

    def settle(self, *, language="en", status="live", after="archive", after_block="wait", mode="full", more="") -> None:
        """Write the partner's YAML."""
        self.write(PARTNER.format(language=language, status=status, after=after, after_block=after_block, mode=mode, more=more))

    def rows(self, table: str = "holding", key: str | None = None) -> list[dict]:
        return super().rows(table, key)

    def run(self, delivery_id: str, connector: ModuleType = paper) -> Delivery:
        self.connector = connector
        return super().run(delivery_id)


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger) -> House:
    """An empty installation whose partner delivers holdings."""
    made = House.build(tmp_path, ledger, paper, {"paper_import": InboxFlow}, "lindeby")
    made.settle()
    return made


@pytest.fixture
def connector() -> ModuleType:
    return sys.modules[paper.__name__]
