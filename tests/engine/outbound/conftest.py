"""An installation whose partner's holdings leave the house, to a receiver as small as one can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from include.engine.delivery import Delivery
from include.engine.dispatch.start import start
from include.engine.errors import BinderyError
from include.engine.lake.publish import publish
from include.engine.ledger import manifests
from include.engine.ledger.manifests import Versions
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.engine.outbound.settings import OutboundFlow
from tests import house as building
from tests.conftest import sqlite_ledger
from tests.engine.outbound import letter

PARTNER = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
language: {language}
status: {status}
flows:
  letters: {{schedule: "0 3 29 2 *"{more}}}
"""


@dataclass
class Office(building.House):
    """The house of these tests."""

    published: int = 0

    def settle(self, *, language: str = "en", status: str = "live", more: str = "") -> None:
        """Write the partner's YAML."""
        self.write(PARTNER.format(language=language, status=status, more=more))

    def hold(self, *ids: str, branch: str = "main", statement: str | None = "v.1", mode: str = "delta") -> str:
        """Holdings come into the lake; returns the name of what brought them."""
        self.published += 1
        bringer = f"bringer-{self.published}"
        own = {"control_number": "c1", "agency": "DK-799001", "branch": branch, "statement": statement, "deleted": False}
        rows = [{"holding_id": one, **own} for one in ids]
        lake, contract = self.engine.lake, self.engine.contract("holding")
        schema = pa.schema([(column.name, column.type) for column in contract.columns if column.name in rows[0]] if rows else [])
        made = publish(lake, contract, self.partner, bringer, lambda: pa.Table.from_pylist(rows, schema).to_reader(), mode, lambda: None)
        manifests.pin(self.engine.ledger, None, {"holding": Versions(made.version_before, made.version_after)})
        return bringer

    def begun(self) -> Delivery:
        """A delivery that a person starts, and dispatch claims."""
        made = start(self.engine, self.partner, "letters", who="kirsten")
        assert [one.id for one in self.claimed()] == [made.id]
        return made

    def run(self, delivery_id: str) -> Delivery:
        """The four tasks, as Airflow runs them: after a failure only the last."""
        for step in (select, render, send):
            try:
                step(self.engine, delivery_id, letter)
            except BinderyError:
                break
        confirm(self.engine, delivery_id, letter)
        return self.get(delivery_id)

    def sent(self) -> Delivery:
        """One delivery, all the way."""
        return self.run(self.begun().id)

    @property
    def taken(self) -> list[str]:
        """What the receiver took, in order, as often as it took it."""
        file = letter.box / "taken.txt"
        return file.read_text().split() if file.exists() else []

    def settled(self) -> dict[str, str]:
        return {row["record"]: row["outcome"] for row in self.rows("settled", "record")}


@pytest.fixture
def office(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An empty installation, and an empty box."""
    folder = tmp_path / "office"
    folder.mkdir()
    own = sqlite_ledger(folder / "ledger.db", migrated_file)
    made = Office.build(folder, own, letter, {"letters": OutboundFlow}, "lindeby")
    made.settle()
    monkeypatch.setattr(letter, "box", tmp_path / "office" / "box")
    letter.box.mkdir()
    yield made
    letter.closed = letter.fails_after_envelope = letter.refuses_after_envelope = False
    letter.turned_down, letter.answers = set(), []
