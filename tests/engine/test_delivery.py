"""The delivery's id, its states and its counts."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.delivery import FINISHED, IN_FLIGHT, TRANSITIONS, Counts, State, delivery_id

AT = datetime(2026, 11, 21, 3, 0, 59, tzinfo=UTC)
numbers = st.integers(0, 10**9)


def test_an_id_can_be_read_by_a_person() -> None:
    assert delivery_id("aarhus", "loan", AT, "loans.csv", 10, 5).startswith("aarhus__loan__20261121T0300__")


def test_an_id_is_written_in_utc_whatever_the_zone_of_its_time() -> None:
    there = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert delivery_id("aarhus", "loan", there, "a", 1, 1) == delivery_id("aarhus", "loan", AT, "a", 1, 1)


def test_an_id_of_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        delivery_id("aarhus", "loan", AT.replace(tzinfo=None), "a", 1, 1)


@pytest.mark.parametrize("other", [("b", 1, 1, ""), ("a", 2, 1, ""), ("a", 1, 2, ""), ("a", 1, 1, "again")])
def test_another_name_size_time_or_salt_is_another_id(other: tuple[str, int, int, str]) -> None:
    assert delivery_id("aarhus", "loan", AT, "a", 1, 1) != delivery_id("aarhus", "loan", AT, *other)


@given(st.text(), numbers, st.integers())
def test_any_file_name_gives_an_id_that_airflow_takes_as_a_run_id(path: str, size: int, mtime_ns: int) -> None:
    made = delivery_id("aarhus", "loan", AT, path, size, mtime_ns)
    assert made.isascii()
    assert set(made[-8:]) <= set("0123456789abcdef")


def test_a_file_name_that_is_no_valid_text_gives_an_id() -> None:
    assert delivery_id("aarhus", "loan", AT, "l\udce5n.csv", 1, 1)


@given(numbers, numbers, numbers, numbers)
def test_counts_balance_when_every_record_is_accounted_for(published: int, quarantined: int, filtered: int, held: int) -> None:
    whole = Counts(published + quarantined + filtered + held, published, quarantined, filtered, held)
    assert whole.balanced()
    assert not (whole + Counts(in_=1)).balanced()
    assert (whole + whole).balanced()


@given(st.lists(numbers, min_size=11, max_size=11), st.lists(numbers, min_size=11, max_size=11))
def test_counts_add_up_one_by_one(one: list[int], two: list[int]) -> None:
    both = Counts(*one) + Counts(*two)
    assert [getattr(both, f.name) for f in fields(Counts)] == [a + b for a, b in zip(one, two, strict=True)]


def test_every_state_has_its_transitions_and_is_seen_in_flight_or_finished() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {State.SEEN} | IN_FLIGHT | FINISHED == set(State)
    assert not IN_FLIGHT & FINISHED


def test_nothing_leads_back_to_seen_and_only_a_gated_delivery_is_published() -> None:
    assert not any(State.SEEN in after for after in TRANSITIONS.values())
    assert [state for state, after in TRANSITIONS.items() if State.PUBLISHED in after] == [State.GATED]


def test_what_was_published_can_only_be_acknowledged_or_retracted() -> None:
    reached, todo = set(), [State.PUBLISHED]
    while todo:
        state = todo.pop()
        reached.add(state)
        todo += TRANSITIONS[state] - reached
    assert reached == {State.PUBLISHED, State.ACKNOWLEDGED, State.RETRACTED}
