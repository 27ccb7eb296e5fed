"""A library that harvests a repository: its installation, its YAML in a few words, and what came of it record by record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors.oai_pmh import inbound
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.delivery import Delivery
from include.engine.dispatch.start import start
from include.engine.ledger import Ledger
from tests import house as building
from tests.connectors.oai_pmh.harvest.repository import Kept, Repository, served

PARTNER = """\
name: Almviks stadsbibliotek
isil: SE-Almv
timezone: Europe/Stockholm
language: sv
status: {status}
flows:
  oai_harvest:
    schedule: "{schedule}"
    url: {url}
    prefix: {prefix}
    overlap: {overlap}
    polite: {{attempts: {attempts}, first_wait: 0s, timeout: {timeout}, longest_wait: {longest}}}
"""


@dataclass
class House(building.House):
    """The house of these tests: `harvest` starts a delivery as a person does, and takes it all the way."""

    connector: ModuleType = inbound
    partner: str = "almvik"

    def settle(
        self, url: str, more: str = "", *, prefix: str = "marcxml", overlap: str = "1 h", status: str = "live",
        attempts: int = 3, timeout: str = "10s", longest: str = "5s", schedule: str = "0 3 29 2 *",
    ) -> None:  # fmt: skip
        """Write the partner's file. Its schedule falls due in leap years alone: not while a test runs, whatever the hour."""
        text = PARTNER.format(
            schedule=schedule, url=url, prefix=prefix, overlap=overlap, status=status, attempts=attempts, timeout=timeout, longest=longest
        )
        self.write(text + "".join(f"    {line}\n" for line in more.splitlines()))

    def harvest(self, **facts: Any) -> Delivery:
        made = self.started(**facts)
        return self.run(made.id)

    def started(self, **facts: Any) -> Delivery:
        made = start(self.engine, self.partner, "oai_harvest", who="kirsten", facts=facts)
        assert [one.id for one in self.claimed()] == [made.id]
        return made

    def records(self) -> dict[str, dict[str, Any]]:
        """The lake's records by identifier."""
        return {row["identifier"]: row for row in self.rows("oai_record", "identifier")}

    def titles(self) -> dict[str, dict[str, Any]]:
        return {row["control_number"]: row for row in self.rows("bibliographic", "control_number")}


def same(house: House, repository: Repository) -> None:
    """The lake holds what the repository holds, record by record: identifier, datestamp, deletion, sets, metadata."""
    ours, theirs = house.records(), {one.identifier: one for one in repository.records}
    assert set(ours) == set(theirs)
    for identifier, one in theirs.items():
        row = ours[identifier]
        at = one.datestamp.replace(microsecond=0)
        if repository.granularity == "day":
            at = at.replace(hour=0, minute=0, second=0)
        assert (row["datestamp"], row["deleted"], tuple(row["sets"] or ())) == (at, one.deleted, one.sets)
        assert row["xml"] == (None if one.deleted else one.body)


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger) -> House:
    return House.build(tmp_path, ledger, inbound, {"oai_harvest": OaiHarvest}, "almvik")


@pytest.fixture
def serve() -> Iterator[Callable[..., Repository]]:
    """Serve a repository until the test ends."""
    with ExitStack() as stack:
        yield lambda records, **options: stack.enter_context(served(Repository(records, **options)))


__all__ = ["House", "Kept", "same"]
