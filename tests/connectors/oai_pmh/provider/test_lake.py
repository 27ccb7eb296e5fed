"""The index over a real lake: what publish, a whole export, retraction, erasure and compaction make of it."""

from __future__ import annotations

import pyarrow.dataset as ds

from connectors.oai_pmh.provider import index
from connectors.oai_pmh.provider.index import file_in
from include.engine.lake import maintenance
from include.engine.lake.retract import retract
from tests.connectors.oai_pmh.provider.house import ask, row
from tests.connectors.oai_pmh.provider.installation import Installation


def test_a_title_that_a_whole_export_lacks_is_deleted_for_good_and_one_that_changed_is_new(house: Installation) -> None:
    house.publish("lindeby", [row(n) for n in range(6)])
    assert house.look().changed == 6
    before = house.shown()
    house.publish("lindeby", [row(0), row(1, title="Other"), row(2), row(3), row(9)])
    done = house.look()
    assert (done.changed, done.deleted) == (2, 2)
    after = house.shown()
    assert {number for number, (deleted, _) in after.items() if deleted} == {"4", "5"}
    assert {number for number in after if after[number] == before.get(number)} == {"0", "2", "3"}
    house.publish("lindeby", [row(0), row(1, title="Other"), row(2), row(3), row(4), row(9)])
    house.look()
    assert not house.shown()["4"][0]
    assert house.shown()["5"] == after["5"]


def test_an_unchanged_lake_costs_nothing_and_a_compacted_one_changes_nothing(house: Installation) -> None:
    for n in range(4):
        house.publish("lindeby", [row(n)], mode="delta")
    house.look()
    before = house.shown()
    assert house.look().partners == []
    assert maintenance.compact(house.engine.lake, "bibliographic") == 4
    house.pin()
    done = house.look()
    assert (done.partners, done.changed, done.deleted) == (["lindeby"], 0, 0)
    assert house.shown() == before


def test_what_is_not_pinned_is_not_shown(house: Installation) -> None:
    house.publish("lindeby", [row(1)])
    house.publish("lindeby", [row(2)], mode="delta", pin=False)
    house.look()
    assert set(house.shown()) == {"1"}
    house.pin()
    house.look()
    assert set(house.shown()) == {"1", "2"}


def test_a_retracted_delivery_is_told_of_as_deleted_and_what_it_changed_is_as_it_was(house: Installation) -> None:
    house.publish("lindeby", [row(1), row(2)])
    house.look()
    second = house.publish("lindeby", [row(2, title="Other"), row(3)], mode="delta")
    house.look()
    retract(house.engine.lake, "bibliographic", second)
    house.pin()
    house.look()
    assert {number: deleted for number, (deleted, _) in house.shown().items()} == {"1": False, "2": False, "3": True}
    said = ask(house.desk(), "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:test.example:lindeby/DK-799001/2")
    assert said.all("*//o:metadata/*/*/text()")[0] == "Huset ved havet"


def test_an_erased_record_is_gone_from_the_index_but_for_its_identifier(house: Installation) -> None:
    house.publish("lindeby", [row(1), row(2, title="Nobodys business")])
    house.look()
    maintenance.history_without(house.engine.lake, "bibliographic", "lindeby", ds.field("control_number") == "2")
    house.pin()
    house.look()
    assert house.shown()["2"][0]
    connection = index.connect(file_in(house.engine.home))
    for table in ("dc", "marc"):
        assert connection.execute(f"SELECT count(*) FROM {table} JOIN record USING (place) WHERE local LIKE '%/2'").fetchone()[0] == 0
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 1
    connection.close()


def test_a_record_that_says_that_it_is_deleted_is_a_tombstone(house: Installation) -> None:
    house.publish("lindeby", [row(1), row(2)])
    house.look()
    house.publish("lindeby", [row(2, deleted=True)], mode="delta")
    house.look()
    first = house.shown()
    assert first["2"][0]
    house.publish("lindeby", [row(1)])  # and now it is gone from the lake too: nothing new to tell
    assert house.look().changed == 0
    assert house.shown() == first
