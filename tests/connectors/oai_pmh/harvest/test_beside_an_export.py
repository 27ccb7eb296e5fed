"""A library whose own catalogue comes as full exports, and that harvests a neighbour's titles too: neither deletes what is the other's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ils import inbound as ils
from connectors.ils.settings import IlsImport
from connectors.oai_pmh import inbound
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.delivery import Delivery, State
from include.engine.ledger import Ledger
from tests.connectors.oai_pmh.harvest.conftest import House, same
from tests.connectors.oai_pmh.harvest.repository import DAY, Kept, Repository, marc
from tests.marc.iso import BOOK, iso

PARTNER = """\
name: Almviks stadsbibliotek
isil: SE-Almv
timezone: Europe/Stockholm
status: live
flows:
  ils_import:
    profile: folio
    inbox: file:{inbox}
    every: 1s
    ready: {{rename_from: .part}}
    deliveries:
      - {{table: bibliographic, files: "bib_*.mrc", mode: full}}
"""
HARVEST = """\
  oai_harvest: {{schedule: "0 3 29 2 *", url: {url}, prefix: marcxml, bind: {bind}}}
"""


class Both:
    """The library with both flows."""

    def __init__(self, house: House, repository: Repository) -> None:
        self.house, self.repository, self.count = house, repository, 0
        self.other = replace(house, connector=ils)
        self.settle()

    def settle(self, *, bind: str = "true") -> None:
        self.house.write(PARTNER.format(inbox=self.house.inbox) + HARVEST.format(url=self.repository.url, bind=bind))

    def export(self, *titles: str) -> Delivery:
        self.count += 1
        records = [iso(title.split()[0], [("003", b"SE-Test"), *BOOK[:2], ("245", b"10\x1fa" + title.encode())]) for title in titles]
        self.house.drop(f"bib_{self.count}.mrc", b"".join(records) + b"\n" * self.count)  # never the same file twice
        [claimed] = self.other.claimed(later=2)
        return self.other.run(claimed.id)

    def titles(self) -> dict[str, str]:
        """Title by number, of those that are not deleted."""
        return {number: row["title"] for number, row in self.house.titles().items() if not row["deleted"]}


@pytest.fixture
def both(tmp_path: Path, ledger: Ledger, serve) -> Both:
    house = House.build(tmp_path, ledger, inbound, {"oai_harvest": OaiHarvest, "ils_import": IlsImport}, "almvik")
    return Both(house, serve([kept(number) for number in ("a1", "a2", "a3")]))


def kept(number: str, title: str = "Grannens") -> Kept:
    return Kept(f"oai:test.example:{number}", DAY, marc(number, title))


GRANNENS = {"a1": "Grannens a1", "a2": "Grannens a2", "a3": "Grannens a3"}


def test_a_harvested_title_survives_the_full_export_and_an_exported_one_the_harvest(both: Both) -> None:
    assert both.export("e1 Egen", "e2 Egen", "e3 Egen", "e4 Egen", "e5 Egen").counts.added == 5
    assert both.house.harvest().state == State.ACKNOWLEDGED
    done = both.export("e1 Egen", "e2 Egen", "e3 Egen", "e4 Egen", "e6 Egen")
    assert (done.state, done.counts.added, done.counts.deleted, done.counts.unchanged) == (State.ACKNOWLEDGED, 1, 1, 4)
    assert both.titles() == GRANNENS | {f"e{n}": f"e{n} Egen" for n in (1, 2, 3, 4, 6)}
    same(both.house, both.repository)
    gone = both.house.harvest(moment="compare")
    assert (gone.state, gone.counts.deleted) == (State.ACKNOWLEDGED, 0)
    assert both.titles() == GRANNENS | {f"e{n}": f"e{n} Egen" for n in (1, 2, 3, 4, 6)}


@pytest.mark.parametrize("first", ["export", "harvest"])
def test_a_title_that_both_bring_is_as_the_export_has_it_whichever_came_first(both: Both, first: str) -> None:
    steps = [lambda: both.export("a2 Egen", "e1 Egen"), both.house.harvest]
    for step in steps if first == "export" else steps[::-1]:
        assert step().state == State.ACKNOWLEDGED
    assert both.titles() == GRANNENS | {"a2": "a2 Egen", "e1": "e1 Egen"}
    both.repository.put(Kept("oai:test.example:a2", both.repository.now(), marc("a2", "Grannens nya"), ()))
    both.house.harvest()
    assert both.titles()["a2"] == "a2 Egen"
    assert both.export("a2 Egen", "e1 Egen").counts.unchanged == 2, "the two do not take turns"


def test_a_deletion_in_the_repository_leaves_the_librarys_own_title(both: Both) -> None:
    both.export("a2 Egen", "e1 Egen")
    both.house.harvest()
    for number in ("a2", "a3"):
        both.repository.put(Kept(f"oai:test.example:{number}", both.repository.now(), "", (), deleted=True))
    both.house.harvest()
    same(both.house, both.repository)
    assert both.titles() == {"a1": "Grannens a1", "a2": "a2 Egen", "e1": "e1 Egen"}


def test_a_title_that_the_export_gives_up_comes_back_from_the_harvest_at_the_next_comparison(both: Both) -> None:
    own = [f"e{n} Egen" for n in range(9)]
    both.export("a2 Egen", *own)
    both.house.harvest()
    assert both.export(*own).counts.deleted == 1
    assert "a2" not in both.titles()
    assert both.house.harvest(moment="compare").state == State.ACKNOWLEDGED
    assert both.titles()["a2"] == "Grannens a2"


def test_the_brake_on_mass_deletion_measures_what_the_export_may_delete(both: Both) -> None:
    both.export("e1 Egen", "e2 Egen", "e3 Egen")
    for number in range(4, 30):
        both.repository.put(kept(f"a{number}"))
    both.house.harvest()
    held = both.export("e1 Egen")
    assert (held.state, held.reason) == (State.HELD, "MASS_DELETION"), "two of three, though it is two of thirty-two titles"


def test_titles_of_a_harvest_that_no_longer_brings_any_are_nobodys_and_go_with_the_next_export(both: Both) -> None:
    both.export(*(own := [f"e{n} Egen" for n in range(20)]))
    both.house.harvest()
    both.settle(bind="false")
    assert both.export(*own).counts.deleted == 3
    assert both.titles() == {f"e{n}": f"e{n} Egen" for n in range(20)}
