"""A record that a whole export brought and that was set aside is not missing: the lake keeps what it had of it."""

from __future__ import annotations

import pytest

from include.engine.delivery import State
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.replay import replay
from tests.connectors.ils.marc_records import iso, item
from tests.flows import files
from tests.flows.conftest import Make
from tests.flows.files import ITEMS, PATRONS, csv
from tests.house import House, tells

ALL = files.items(1, 30)


def without(rows: list[str], number: int, instead: str) -> bytes:
    return csv(ITEMS, [instead if row.startswith(f"{number},") else row for row in rows])


@pytest.fixture
def whole(at: Make) -> House:
    """A library whose deliveries are whole exports, and whose first export was clean."""
    library = at(mode="full")
    library.deliver("items_1.csv", csv(ITEMS, ALL))
    return library


def ids(library: House) -> set[str]:
    return {row["item_id"] for row in library.rows("item")}


@pytest.mark.parametrize(
    "line",
    [
        "7,t7,B7,MAIN,BK,2020-01-01",
        "7,t7,B7,MAIN,BK,2020-01-01,1.00,too,many",
        '7,t7,"B7,MAIN,BK,2020-01-01,1.00',
        '"7",t7,"B7,MAIN,BK,2020-01-01,1.00',
        "7,t7,B7,MAIN,BK,2020-01-01,a hundred",
        "7,t7,B7,=MAIN(),BK,2020-01-01,1.00",
        "7,t7,B\0007,MAIN,BK,2020-01-01,1.00",
        "7,t7,B7,MAIN,BK,2020-01-01,-5.00",
    ],
)
def test_a_line_that_is_set_aside_keeps_its_row_and_what_is_missing_is_deleted(whole: House, line: str) -> None:
    done = whole.deliver("items_2.csv", without(ALL[:-1], 7, line))
    assert (done.state, done.counts.quarantined, done.counts.deleted) == (State.ACKNOWLEDGED, 1, 1)
    assert ids(whole) == {str(n) for n in range(1, 30)}
    assert "DELETIONS_WITHHELD" not in done.facts["warnings"] and "KEYS_UNTOLD" not in done.facts["warnings"]


def test_a_record_that_nobody_can_name_keeps_as_many_missing_rows_as_it_could_be(whole: House) -> None:
    done = whole.deliver("items_2.csv", without(ALL, 7, ",t7,B7,MAIN,BK,2020-01-01,1.00"))
    assert (done.counts.quarantined, done.counts.deleted) == (1, 0)
    assert len(ids(whole)) == 30
    assert done.facts["warnings"]["DELETIONS_WITHHELD"] == 1
    assert tells(whole.receipt(done), "DELETIONS_WITHHELD", "da")


def test_where_more_is_missing_than_nobody_can_name_it_is_deleted_and_said(whole: House) -> None:
    done = whole.deliver("items_2.csv", without(ALL[:-1], 7, ",t7,B7,MAIN,BK,2020-01-01,1.00"))
    assert (done.counts.quarantined, done.counts.deleted) == (1, 2)
    assert done.facts["warnings"]["KEYS_UNTOLD"] == 1
    assert tells(whole.receipt(done), "KEYS_UNTOLD", "da")


def test_what_was_withheld_goes_with_the_next_clean_export(whole: House) -> None:
    whole.deliver("items_2.csv", csv(ITEMS, [*ALL[:-1], ",t,B,MAIN,BK,2020-01-01,1.00"]))
    assert len(ids(whole)) == 30
    done = whole.deliver("items_3.csv", csv(ITEMS, ALL[:-1]))
    assert done.counts.deleted == 1


def test_tries_and_replays_spare_the_same_rows(whole: House) -> None:
    whole.drop("items_2.csv", without(ALL, 7, ",t7,B7,MAIN,BK,2020-01-01,1.00"))
    [claimed] = whole.claimed()
    for step in (receive, gate, receive, gate, gate, publish, publish, acknowledge):
        step(whole.engine, claimed.id, whole.connector)
    assert (whole.get(claimed.id).counts.deleted, len(ids(whole))) == (0, 30)
    again = replay(whole.engine, claimed.id, who="test")
    [started] = whole.claimed()
    assert started.id == again.id
    assert whole.run(again.id).counts.deleted == 0
    assert len(ids(whole)) == 30


def test_the_brake_counts_only_what_would_really_go(at: Make) -> None:
    library = at(mode="full")
    library.deliver("items_1.csv", csv(ITEMS, files.items(1, 8)))
    bad = [f"{n},t,B,MAIN,BK,2020-01-01,a hundred" for n in range(1, 4)]
    done = library.deliver("items_2.csv", csv(ITEMS, [*bad, *files.items(4, 5)]))
    assert (done.state, done.counts.deleted) == (State.ACKNOWLEDGED, 0)
    assert len(ids(library)) == 8


def test_a_patron_that_is_set_aside_keeps_identity_and_cards(at: Make) -> None:
    library = at(mode="full")
    people = [f"{n},C{n},Holm,Ida,1990-01-0{n},MAIN,PT," for n in range(1, 9)]
    library.deliver("patrons_1.csv", csv(PATRONS, people))
    before = {
        table: library.rows(table, key) for table, key in (("patron", "patron"), ("patron_identity", "patron"), ("patron_alias", "alias"))
    }
    done = library.deliver("patrons_2.csv", csv(PATRONS, [people[0].replace("1990-01-01", "not a day"), *people[1:-1]]))
    assert (done.counts.quarantined, done.counts.deleted) == (1, 1)
    for table, rows in before.items():
        key = "alias" if table == "patron_alias" else "patron"
        kept = {row[key] for row in library.rows(table, key)}
        assert len(kept) == 7 and kept < {row[key] for row in rows}


def record(number: int, *items: str) -> bytes:
    return iso(f"g{number}", extra=[item(one) for one in items])


RECORDS = [record(n, f"i{n}a", f"i{n}b") for n in range(12)]


@pytest.mark.parametrize("damage", ["directory", "charset", "truncated"])
def test_a_catalogue_record_that_cannot_be_read_keeps_its_row_and_its_items(at: Make, damage: str) -> None:
    library = at(mode="full")
    library.deliver("bib_1.mrc", b"".join(RECORDS))
    broken = {
        "directory": RECORDS[3].replace(b"245", b"\xff45", 1),
        "charset": iso("g3", title=b"\x80\xff\xfe", coding="a", extra=[item("i3a"), item("i3b")]),
        "truncated": RECORDS[3][:-40],
    }[damage]
    rest = RECORDS[:3] + RECORDS[4:11]
    done = library.deliver("bib_2.mrc", b"".join([*rest, broken]))
    assert (done.state, done.counts.quarantined, done.counts.deleted) == (State.ACKNOWLEDGED, 1, 1)
    assert {row["control_number"] for row in library.rows("bibliographic", "control_number")} == {f"g{n}" for n in range(11)}
    assert {row["item_id"] for row in library.rows("item")} == {f"i{n}{copy}" for n in range(11) for copy in "ab"}


def test_items_of_a_record_that_nobody_can_name_stay_with_it(at: Make) -> None:
    library = at(mode="full")
    library.deliver("bib_1.mrc", b"".join(RECORDS))
    done = library.deliver("bib_2.mrc", b"".join([*RECORDS[:3], RECORDS[3][5:30], *RECORDS[4:]]))
    assert (done.counts.quarantined, done.counts.deleted) == (1, 0)
    assert len(library.rows("item")) == 24


@pytest.mark.parametrize(("was", "now"), [(b"\x1fl7", b"\x1flx"), (b"\x1f9i3a", b"\x1fxi3a")])
def test_an_item_inside_a_record_that_is_set_aside_keeps_its_row(at: Make, was: bytes, now: bytes) -> None:
    library = at(mode="full")
    library.deliver("bib_1.mrc", b"".join(RECORDS))
    library.deliver("bib_2.mrc", b"".join([*RECORDS[:3], RECORDS[3].replace(was, now, 1), *RECORDS[4:11]]))
    assert {row["item_id"] for row in library.rows("item")} == {f"i{n}{copy}" for n in range(11) for copy in "ab"}
