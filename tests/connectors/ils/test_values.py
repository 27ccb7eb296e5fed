"""Values that cannot be read, and how they are told of without saying who anybody is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from connectors.ils.profile import build
from connectors.ils.words import masked
from tests.connectors.ils.reading import plain, read_all

FEE = {"columns": ["fee_id", "kind", "amount", "outstanding", "currency", "incurred_on"], "delimiter": ";"}


def amounts(*texts: str, decimal: str = ",") -> tuple[list[Decimal | None], list[str]]:
    rows = "".join(f"{n};other;{text};0;DKK;2026-01-01\n" for n, text in enumerate(texts))
    result = read_all(f"fee_id;kind;amount;outstanding;currency;incurred_on\n{rows}".encode(), "fee", plain("fee", decimal=decimal, **FEE))
    return [row["amount"] for row in result.rows["fee"]], [f"{row['reason']} {row['detail']}" for row in result.aside]


def test_decimal_commas_and_thousands_are_read() -> None:
    assert amounts("12,50", "7", "-3,5", "1.234,50", "1 234,50", "12,500", "+2,00") == (
        [Decimal(text) for text in ("12.50", "7", "-3.5", "1234.50", "1234.50", "12.50", "2")],
        [],
    )
    assert amounts("12.5", "1,234.50", decimal=".")[0] == [Decimal("12.5"), Decimal("1234.5")]


def test_numbers_that_are_none_or_lose_something_are_set_aside() -> None:
    values, aside = amounts("12,555", "x", "1,2,3", "12345678901234", "5")
    assert values == [Decimal(5)]
    assert len(aside) == 4
    assert aside[0] == "NUMBER_UNREADABLE amount is 12,555: not a number that fits"


def test_a_count_that_does_not_fit_its_column_is_set_aside() -> None:
    profile = plain("loan", columns=["loan_id", "loaned_on", "renewals"])
    result = read_all(
        b"loan_id,loaned_on,renewals\n1,2026-01-01,70000\n2,2026-01-01,3\n3,2026-01-01,2.5\n4,2026-01-01, 4 \n", "loan", profile, "open"
    )
    assert result.reasons == ["NUMBER_UNREADABLE", "NUMBER_UNREADABLE"]
    assert [row["renewals"] for row in result.rows["loan"]] == [3, 4]


def test_a_date_that_is_none_is_told_with_the_layout_that_is_asked_for() -> None:
    profile = plain(dates=["YYYYMMDD"], times=["YYYYMMDDhhmm"])
    result = read_all(b"loan_id,loaned_on,item_id\n1,20261301,5\n2,20260101,5\n", "loan", profile, "open")
    assert result.aside[0]["detail"] == "loaned_on is 20261301: not a date or time (this library writes YYYYMMDD)"
    assert (result.aside[0]["column"], result.aside[0]["record"]) == ("loaned_on", 1)


def test_a_row_with_several_faults_is_set_aside_once() -> None:
    profile = plain(columns=["loan_id", "loaned_on", "due_on"])
    result = read_all(b"loan_id,loaned_on,due_on\n1,soon,later\n2,2026-01-01,\n", "loan", profile, "open")
    assert result.reasons == ["DATE_UNREADABLE"]
    assert result.aside[0]["detail"].endswith("(also unreadable: due_on)")


def test_zero_dates_and_stand_ins_read_as_nothing() -> None:
    profile = plain(zero_dates=["0000-00-00"], nulls=["", "NULL"], columns=["loan_id", "loaned_on", "returned_on", "item_id"])
    result = read_all(
        b"loan_id,loaned_on,returned_on,item_id\n1,2026-01-01,0000-00-00,NULL\n2,2026-01-01,  ,  7 \n", "loan", profile, "history"
    )
    assert [(row["returned_on"], row["item_id"]) for row in result.rows["loan"]] == [(None, None), (None, "7")]


def test_yes_and_no_are_read_in_the_librarys_words() -> None:
    profile = plain("patron", columns=["patron_id", "blocked", "consent"], true_values=["Ja"], false_values=["Nej"])
    result = read_all(b"patron_id,blocked,consent\n1,ja,Nej\n2,,\n3,maybe,\n", "patron", profile)
    assert [(row["blocked"], row["consent"]) for row in result.rows["patron"]] == [(True, False), (False, None)]
    assert result.reasons == ["BOOLEAN_UNREADABLE"]


def test_a_code_that_the_profile_does_not_know_is_set_aside_with_the_code() -> None:
    columns = {
        "fee_id": "id",
        "kind": {"from": "k", "values": {"L": "lost"}},
        "amount": "a",
        "outstanding": "a",
        "currency": "c",
        "incurred_on": "d",
    }
    profile = build({"name": "p", "title": "p", "about": "p", "tables": {"fee": {"format": "csv", "columns": columns}}}, "p")
    result = read_all(b"id,k,a,c,d\n1,L,2,DKK,2026-01-01\n2,Q,2,DKK,2026-01-01\n3,l,2,DKK,2026-01-01\n", "fee", profile)
    assert [row["kind"] for row in result.rows["fee"]] == ["lost", "lost"]
    assert result.aside[0]["detail"] == "kind is Q: a code that we do not know of your system"


def test_days_of_utc_times_are_the_librarys_own() -> None:
    profile = plain(columns=["loan_id", "loaned_on", "loaned_at"], dates=["iso8601"], times=["iso8601"], clock="utc")
    result = read_all(b"loan_id,loaned_on,loaned_at\n1,2026-01-01T23:30:00Z,2026-01-01T23:30:00Z\n2,2026-01-01,\n", "loan", profile, "open")
    assert [row["loaned_on"] for row in result.rows["loan"]] == [date(2026, 1, 2), date(2026, 1, 1)]
    assert result.rows["loan"][0]["loaned_at"].astimezone(UTC) == datetime(2026, 1, 1, 23, 30, tzinfo=UTC)


def test_a_time_in_the_spring_gap_is_taken_in_and_counted() -> None:
    profile = plain(columns=["loan_id", "loaned_on", "loaned_at"], times=["YYYY-MM-DD hh:mm"])
    result = read_all(b"loan_id,loaned_on,loaned_at\n1,2026-03-29,2026-03-29 02:30\n", "loan", profile, "open")
    assert result.rows["loan"][0]["loaned_at"].astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert result.warnings == {"TIME_IN_DST_GAP": 1}


@pytest.mark.parametrize(
    "value", ["010190-1234", "0101901234", "19900101-1234", "199001011234", "900101-12345", "90.01.01-123.45", "123456782"]
)
def test_no_identity_number_is_ever_shown(value: str) -> None:
    assert masked(value, public=True) == "".join("9" if c.isdigit() else c for c in value)
    assert not any(c.isdigit() and c != "9" for c in masked(value, public=True))


@pytest.mark.parametrize("value", ["20261301", "2026-13-01", "31/02/2026 10:30", "12,555", "Q", "tomorrow"])
def test_a_value_that_is_nobodys_is_shown_unless_its_column_is_private(value: str) -> None:
    assert masked(value, public=True) == value
    assert masked(value, public=False) == "".join("9" if c.isdigit() else "x" if c.isalpha() else c for c in value)


def test_no_word_of_a_patrons_row_stands_in_what_is_said_of_it() -> None:
    profile = plain("patron", columns=["patron_id", "name", "birth_date", "national_id"])
    result = read_all(b"patron_id,name,birth_date,national_id\n17,Ib Vang,010190-1234,010190-1234\n18,Bo,2001-01-01,\n", "patron", profile)
    assert result.aside[0]["detail"].startswith("birth_date is 999999-9999")
