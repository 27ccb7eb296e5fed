"""Which of two tellings are of one loan, or of one renewal, and what the lake calls it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.loan_names import ALIAS, LOAN, Names, Told, apart, names, renamed

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
KIOSK = Told("kiosk:B1:20261120T090000Z", None, "B1", "p", DAY, AT)


@pytest.mark.parametrize(
    ("other", "seconds"),
    [
        (Told("1", None, "B1", "p", DAY, AT), 0.0),
        (Told("1", None, "B1", None, DAY, AT + timedelta(minutes=15)), 900.0),
        (Told("1", None, "B1", "p", DAY, AT + timedelta(minutes=16)), None),
        (Told("1", None, "B1", "q", DAY, AT), None),
        (Told("1", None, "B2", "p", DAY, AT), None),
        (Told("1", None, None, "p", DAY, AT), None),
        (Told("1", None, "B1", "p", DAY, None), 0.0),
        (Told("1", None, "B1", "p", date(2026, 11, 21), None), None),
        (Told("1", None, "B1", "p", date(2026, 11, 21), AT + timedelta(minutes=1)), 60.0),
    ],
)
def test_one_loan_is_one_item_one_patron_and_nearly_one_moment(other: Told, seconds: float | None) -> None:
    assert apart(KIOSK, other) == apart(other, KIOSK) == seconds


def test_an_alias_holds_whatever_is_told_later() -> None:
    found = Names({("4711", "once"): ("kiosk:x", "once")}, [KIOSK])
    assert found.of(Told("4711", None, "B1", "q", date(2020, 1, 1), None)) == "kiosk:x"
    assert found.new == []


def test_the_nearest_of_several_is_taken_and_each_once() -> None:
    other = KIOSK._replace(loan_id="kiosk:B1:20261120T091000Z", at=AT + timedelta(minutes=10))
    found = Names({}, [KIOSK, other])
    near = Told("1", None, "B1", "p", DAY, AT + timedelta(minutes=9))
    assert [found.of(near._replace(loan_id=number)) for number in ("1", "2", "3", "1")] == [
        other.loan_id,
        KIOSK.loan_id,
        "3",
        other.loan_id,
    ]
    assert [one["told_id"] for one in found.new] == ["1", "2"]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 40)), max_size=8), st.permutations(range(8)))
def test_no_two_loans_of_a_library_become_one(lent: list[tuple[str, int]], order: list[int]) -> None:
    kiosks = [Told(f"kiosk:{n}", None, item, None, DAY, AT + timedelta(minutes=minute)) for n, (item, minute) in enumerate(lent)]
    found = Names({}, kiosks)
    told = [Told(str(n), None, one.barcode, None, DAY, one.at) for n, one in enumerate(kiosks)]
    taken = [found.of(told[n]) for n in order if n < len(told)]
    assert len(set(taken)) == len(taken)


def test_a_renewal_with_a_number_of_its_own_is_the_kiosk_s_renewal() -> None:
    row = dict.fromkeys(LOAN) | {"loan_id": "kiosk:x", "barcode": "B1", "loaned_on": DAY, "loaned_at": AT, "event_id": "once"}
    lake = [
        row | {"event": "loan"},
        row | {"event": "renewal", "event_id": "kiosk:r", "happened_at": AT + timedelta(days=3)},
        row | {"event": "renewal", "event_id": "kiosk:s", "happened_at": AT + timedelta(days=9)},
    ]
    types = {"loaned_on": pa.date32(), "loaned_at": pa.timestamp("us", "UTC"), "happened_at": pa.timestamp("us", "UTC")}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in LOAN])
    found = names(pa.table({name: pa.array([], pa.string()) for name in ALIAS}), pa.Table.from_pylist(lake, schema=schema))
    told = row | {"loan_id": "4711"}
    batch = pa.RecordBatch.from_pylist(
        [
            told | {"event": "renewal", "event_id": "88", "happened_at": AT + timedelta(days=9, minutes=1)},
            told | {"event": "renewal", "event_id": "90", "happened_at": AT + timedelta(days=12)},
            told | {"loan_id": "5", "event": "loan", "barcode": "B9"},
        ],
        schema=schema,
    )
    nobody = pa.nulls(3, pa.string())
    loans, events, places = renamed(batch, nobody, nobody, found)
    assert (loans.to_pylist(), events.to_pylist(), places) == (["kiosk:x", "kiosk:x", "5"], ["kiosk:s", "90", "once"], [0, 0])
    again = renamed(batch, nobody, nobody, found)
    assert (again[0].to_pylist(), again[2]) == (loans.to_pylist(), [])


def test_of_a_library_without_kiosks_nothing_is_changed() -> None:
    batch = pa.RecordBatch.from_pydict({"loan_id": ["1"], "event_id": ["once"]})
    loans, events, places = renamed(batch, pa.nulls(1, pa.string()), pa.nulls(1, pa.string()), Names({}))
    assert (loans.to_pylist(), events.to_pylist(), places) == (["1"], ["once"], [])
