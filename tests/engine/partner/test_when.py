"""Words for time, on the partner's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.partner.when import last_due, next_due, parse_duration, parse_schedule, spell_duration

ZONE = "Europe/Copenhagen"


@pytest.mark.parametrize(
    ("words", "cron"),
    [
        ("hourly", "0 * * * *"),
        ("daily 06:00", "0 6 * * *"),
        ("weekdays 07:30", "30 7 * * 1-5"),
        ("Monday  03:00", "0 3 * * 1"),
        ("monthly 15 01:05", "5 1 15 * *"),
        ("*/5 * * * *", "*/5 * * * *"),
    ],
)
def test_words_become_cron_fields(words: str, cron: str) -> None:
    assert parse_schedule(words) == cron


@pytest.mark.parametrize("words", ["", "daily", "daily 25:00", "someday 03:00", "* * *"])
def test_other_words_are_refused_with_what_is_allowed(words: str) -> None:
    with pytest.raises(ValueError, match="daily 06:00"):
        parse_schedule(words)


@given(st.integers(0, 10**7))
def test_a_length_of_time_reads_back_as_it_was_spelled(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert parse_duration(spell_duration(length)) == length


@pytest.mark.parametrize("words", ["36501 days", "9999999 days", "99999999999 days"])
def test_a_length_of_time_that_no_calendar_reaches_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="at most 36500 days"):
        parse_duration(words)


def test_a_time_that_spring_jumps_over_is_due_right_after_the_jump() -> None:
    due = last_due("30 2 * * *", ZONE, datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert due.astimezone(UTC) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_time_that_comes_twice_in_autumn_is_due_once() -> None:
    first = next_due("30 2 * * *", ZONE, datetime(2026, 10, 24, 23, tzinfo=UTC))
    second = next_due("30 2 * * *", ZONE, first)
    assert second - first >= timedelta(hours=24)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_last_due_is_never_after_now_and_never_more_than_a_period_back(at: datetime) -> None:
    due = last_due("0 6 * * *", ZONE, at)
    assert due <= at
    assert at - due <= timedelta(hours=25)
