"""Records that were set aside: entered in bulk, once a step, and followed to their end."""

from __future__ import annotations

import pyarrow as pa
import pytest

from include.engine.ledger import Ledger, deliveries, quarantined
from include.engine.ledger.quarantined import Fate
from tests.engine.ledger.conftest import MakeDelivery


def aside(*reasons: tuple[str, str | None], first: int = 1) -> pa.Table:
    records = range(first, first + len(reasons))
    return pa.table(
        {
            "member": ["loans.csv"] * len(reasons),
            "record": pa.array(records, pa.int64()),
            "offset": pa.array([100 * record for record in records], pa.int64()),
            "length": pa.array([99] * len(reasons), pa.int32()),
            "reason": [reason for reason, _ in reasons],
            "column": pa.array([column for _, column in reasons], pa.string()),
            "detail": ["due_on is 20261301"] * len(reasons),
            "raw": [b"251248-9996;20261301"] * len(reasons),
        }
    )


BAD_DATE, FUTURE, RAGGED = ("DATE_UNREADABLE", "due_on"), ("LOAN_IN_FUTURE", "loaned_on"), ("ROW_RAGGED", None)


@pytest.fixture
def id(ledger: Ledger, new: MakeDelivery) -> str:
    return deliveries.see(ledger, new()).id


def test_each_record_is_found_with_its_place_and_the_row_of_its_bytes(ledger: Ledger, id: str) -> None:
    assert quarantined.add(ledger, id, aside(BAD_DATE, FUTURE), "file:blob") == 2
    one, two = quarantined.find(ledger, delivery_id=id)
    assert (one.member, one.record, one.offset, one.length, one.reason, one.column) == ("loans.csv", 1, 100, 99, *BAD_DATE)
    assert [(row.blob_uri, row.blob_row, row.state) for row in (one, two)] == [("file:blob", 0, Fate.OPEN), ("file:blob", 1, Fate.OPEN)]


def test_they_are_counted_by_reason_and_column_the_most_frequent_first(ledger: Ledger, id: str) -> None:
    quarantined.add(ledger, id, aside(FUTURE, RAGGED, BAD_DATE, RAGGED), "file:blob")
    assert list(quarantined.counts(ledger, id).items()) == [(RAGGED, 2), (BAD_DATE, 1), (FUTURE, 1)]


def test_a_step_done_twice_counts_once_and_leaves_other_steps_alone(ledger: Ledger, id: str) -> None:
    quarantined.add(ledger, id, aside(RAGGED), "file:staged-1", step="stage")
    quarantined.add(ledger, id, aside(BAD_DATE, BAD_DATE), "file:gated-2")
    quarantined.add(ledger, id, aside(BAD_DATE), "file:gated-3")
    assert quarantined.counts(ledger, id) == {BAD_DATE: 1, RAGGED: 1}


def test_one_try_may_have_several_files(ledger: Ledger, id: str) -> None:
    quarantined.add(ledger, id, aside(BAD_DATE), "file:1")
    assert quarantined.add(ledger, id, aside(FUTURE, first=2), "file:2", more=True) == 1
    assert [row.record for row in quarantined.find(ledger, delivery_id=id)] == [1, 2]


def test_nothing_set_aside_forgets_what_an_earlier_try_set_aside(ledger: Ledger, id: str) -> None:
    quarantined.add(ledger, id, aside(BAD_DATE), "file:1")
    assert quarantined.add(ledger, id, aside(), "file:2") == 0
    assert quarantined.find(ledger) == []


def test_a_delivery_that_is_done_again_forgets_all_or_one_step(ledger: Ledger, id: str) -> None:
    quarantined.add(ledger, id, aside(RAGGED), "file:1", step="stage")
    quarantined.add(ledger, id, aside(BAD_DATE), "file:2")
    quarantined.clear(ledger, id, step="gate")
    assert quarantined.counts(ledger, id) == {RAGGED: 1}
    quarantined.clear(ledger, id)
    assert quarantined.counts(ledger, id) == {}


def test_records_are_found_by_reason_state_record_and_page(ledger: Ledger, id: str) -> None:
    quarantined.add(ledger, id, aside(BAD_DATE, FUTURE, BAD_DATE), "file:blob")
    one, two, three = quarantined.find(ledger)
    assert quarantined.set_state(ledger, [one.id], Fate.REPLAYED, note="replayed by anne") == 1
    assert [row.id for row in quarantined.find(ledger, state=Fate.OPEN)] == [two.id, three.id]
    assert quarantined.find(ledger, state=Fate.REPLAYED)[0].note == "replayed by anne"
    assert [row.id for row in quarantined.find(ledger, reason="DATE_UNREADABLE")] == [one.id, three.id]
    assert quarantined.find(ledger, record=2) == quarantined.find(ledger, after=one.id, limit=1)
    assert quarantined.find(ledger, blob_uri="file:other") == []


def test_neither_bytes_nor_details_reach_the_ledger(ledger: Ledger, id: str) -> None:
    quarantined.add(ledger, id, aside(BAD_DATE), "file:blob")
    assert not {"251248-9996", "20261301"} & set(map(str, vars(quarantined.find(ledger)[0]).values()))


def test_many_records_are_entered_and_changed_in_bulk(ledger: Ledger, id: str) -> None:
    assert quarantined.add(ledger, id, aside(*[BAD_DATE] * 12_001), "file:blob") == 12_001
    rows = quarantined.find(ledger, limit=20_000)
    assert [row.blob_row for row in rows] == list(range(12_001))
    assert quarantined.set_state(ledger, [row.id for row in rows], Fate.DISCARDED) == 12_001
