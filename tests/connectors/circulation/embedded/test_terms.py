"""The terms of a library's rules: limits by category and material, days, and the ends of loans."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.circulation.embedded.rules import Limits, Line, Rules
from connectors.circulation.embedded.terms import Terms

ZONES = ("Europe/Copenhagen", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham", "America/Sao_Paulo")
MOMENTS = st.datetimes(datetime(1986, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))


@given(st.sampled_from(ZONES), st.lists(st.tuples(MOMENTS, st.lists(st.timedeltas(timedelta(hours=-2), timedelta(hours=2)), max_size=8))))
def test_the_day_is_the_library_s_at_each_moment_in_whatever_order_they_come(
    zone: str, asked: list[tuple[datetime, list[timedelta]]]
) -> None:
    terms = Terms(Rules(timezone=zone))
    for moment, near in asked:
        for each in (moment, *(moment + step for step in near)):
            assert terms.today(each) == each.astimezone(ZoneInfo(zone)).date()


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_begins_at_its_midnight_and_no_second_earlier(zone: str) -> None:
    terms = Terms(Rules(timezone=zone))
    midnight = datetime(2026, 7, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    for seconds, day in ((-1, date(2026, 6, 30)), (0, date(2026, 7, 1)), (-1, date(2026, 6, 30)), (1, date(2026, 7, 1))):
        assert terms.today(midnight + timedelta(seconds=seconds)) == day


def test_a_loan_ends_a_minute_before_midnight_there_and_never_on_a_closed_day() -> None:
    terms = Terms(Rules(closed=frozenset((date(2026, 12, 24), date(2026, 12, 25)))))
    lent = datetime(2026, 12, 2, 23, 30, tzinfo=UTC)  # the third, in Copenhagen
    assert terms.due(lent, 20) == datetime(2026, 12, 23, 22, 59, tzinfo=UTC)
    assert terms.due(lent, 21) == datetime(2026, 12, 26, 22, 59, tzinfo=UTC)
    assert terms.due(lent, 240) == datetime(2027, 7, 31, 21, 59, tzinfo=UTC)  # in summer time


def test_each_limit_is_from_the_first_line_that_fits_and_names_it() -> None:
    lines = (Line(category="child", material="game*", loan_days=14), Line(material="GAME*", loan_days=7, renewals=0), Line(loans=5))
    terms = Terms(Rules(defaults=Limits(loan_days=30, fees=Decimal(10)), rules=lines))
    assert terms.of("Child", "game-ps5") == Limits(loan_days=14, renewals=0, loans=5, holds=50, fees=Decimal(10), age_from=0)
    assert terms.of("adult", "Game").loan_days == 7
    assert terms.of("adult").loan_days == terms.of("adult", "book").loan_days == 30
