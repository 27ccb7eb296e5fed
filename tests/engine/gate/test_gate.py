"""The gate sets rows aside for what is wrong with them, and lets the others on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engine.contract import arrow_schema, load
from include.engine.errors import BinderyError
from include.engine.gate import Verdict
from include.engine.gate import gate as module
from include.engine.gate.gate import Gate
from include.engine.gate.result import FOUND
from tests.engine.gate.loans import DAY, ILS_LOAN, TODAY, batch, loan


def through(*rows: dict[str, Any], contract: str = "ils_loan", **references: pa.Table) -> tuple[list[dict[str, Any]], Verdict, pa.Table]:
    """Rows set aside, the verdict, and the rows accepted."""
    judged = load(contract)
    gate = Gate(judged, today=TODAY, delivery="d", references=references)
    split = gate.split(batch(*rows, contract=judged))
    return split.set_aside.to_pylist(), gate.verdict(), pa.table(split.accepted)


WAYS: list[tuple[dict[str, Any], str | None]] = [
    ({"loan_id": None}, "KEY_MISSING"),
    ({"loan_id": ""}, "KEY_MISSING"),
    ({"renewals": None}, "VALUE_MISSING"),
    ({"event": "udlaan"}, "UNKNOWN_EVENT"),
    ({"kind": "hjem"}, "UNKNOWN_KIND"),
    ({"loaned_on": date(2062, 11, 2), "due_on": None}, "LOAN_IN_FUTURE"),
    ({"due_on": DAY - timedelta(days=1)}, "DUE_BEFORE_LOAN"),
    ({"returned_on": DAY - timedelta(days=1)}, "RETURN_BEFORE_LOAN"),
    ({"returned_on": TODAY + timedelta(days=2)}, "RETURN_IN_FUTURE"),
    ({"happened_at": datetime(2027, 1, 1, tzinfo=UTC)}, "EVENT_IN_FUTURE"),
    ({"renewals": -1}, "COUNT_NEGATIVE"),
    ({"item_id": None}, "LOAN_WITHOUT_ITEM"),
    ({"item_id": "", "barcode": ""}, "LOAN_WITHOUT_ITEM"),
    ({"item_id": None, "control_number": "5"}, None),
    ({"due_on": date(9999, 12, 31)}, None),
    ({"due_on": DAY}, None),
    ({"patron_id": None}, None),
    ({"loaned_on": TODAY, "due_on": None}, None),
    ({"loaned_on": date(1, 1, 1)}, None),
]


def test_a_loan_is_set_aside_for_what_is_wrong_with_it_and_for_nothing_else() -> None:
    set_aside, verdict, accepted = through(*[loan(number, **wrong) for number, (wrong, _) in enumerate(WAYS)])
    found = {row["record"]: row["reason"] for row in set_aside}
    for number, (wrong, reason) in enumerate(WAYS):
        assert found.get(number) == reason, wrong
    assert accepted.num_rows == verdict.accepted == sum(reason is None for _, reason in WAYS)


def test_a_row_set_aside_says_where_it_stands_and_why() -> None:
    set_aside, _, _ = through(loan(1), loan(2, loaned_on=date(2062, 11, 2), due_on=DAY))
    assert set_aside == [
        {
            "member": "loans.csv",
            "record": 2,
            "offset": 200,
            "length": 100,
            "reason": "LOAN_IN_FUTURE",
            "column": "loaned_on",
            "detail": "loaned_on is 2062-11-02: a loan cannot lie in the future; also DUE_BEFORE_LOAN",
        }
    ]


def test_warnings_count_and_let_the_row_on() -> None:
    set_aside, verdict, _ = through(loan(1, loaned_on=date(1900, 1, 1)), loan(2, event="return"))
    assert set_aside == []
    assert verdict.warnings == 2
    failed = {result.reason: (result.failed, result.passed) for result in verdict.results if result.failed}
    assert failed == {"LOAN_VERY_OLD": (1, False), "RETURN_WITHOUT_DATE": (1, False)}
    told = {sample["reason"]: sample["detail"] for sample in verdict.samples.to_pylist()}
    assert told["LOAN_VERY_OLD"] == "loaned_on is 1900-01-01: a loan from before 1970-01-01 is seldom real"


def test_the_first_of_rows_with_one_key_stays_and_later_ones_are_late() -> None:
    gate = Gate(ILS_LOAN, today=TODAY, delivery="d")
    first = gate.split(batch(loan(1), loan(2, kind="hjem"), loan(3)))
    second = gate.split(batch({**loan(1), "_record": 4, "_member": "b.csv"}, loan(5), loan(6, loan_id="L3", kind="e_loan")))
    verdict = gate.verdict()
    accepted = pa.concat_tables([pa.table(first.accepted), pa.table(second.accepted)])
    assert [(row["member"], row["record"], row["reason"]) for row in verdict.late.to_pylist()] == [
        ("b.csv", 4, "DUPLICATE_ROW"),
        ("loans.csv", 6, "DUPLICATE_KEY"),
    ]
    assert accepted.take(pa.array(verdict.late_positions)).column("_record").to_pylist() == [4, 6]
    assert (verdict.rows_in, verdict.accepted, verdict.quarantined) == (6, 3, 3)
    assert verdict.late.schema == FOUND


def test_renewals_of_one_loan_are_no_duplicates() -> None:
    rows = [loan(1, event="renewal", event_id=str(number)) for number in range(3)]
    _, verdict, _ = through(*rows)
    assert verdict.late.num_rows == 0


def test_a_few_bad_rows_never_block_and_many_do() -> None:
    few = through(*[loan(number, kind="hjem") for number in range(9)])[1]
    assert (few.passed, few.quarantined, few.accepted) == (True, 9, 0)
    many = through(*[loan(number, kind="hjem" if number < 10 else "home") for number in range(100)])[1]
    assert (many.passed, many.reason) == (False, "TOO_MANY_SET_ASIDE")
    assert many.message == "10 of 100 rows would be set aside, more than the 5.0% that the contract allows"
    assert through(*[loan(number, kind="hjem" if number < 10 else "home") for number in range(200)])[1].passed


def test_rows_that_a_reader_set_aside_count_among_the_bad() -> None:
    gate = Gate(ILS_LOAN, today=TODAY, delivery="d")
    gate.split(batch(*[loan(number) for number in range(100)]))
    assert gate.verdict(set_aside_before=5).passed
    assert gate.verdict(set_aside_before=10).reason == "TOO_MANY_SET_ASIDE"


def test_a_block_rule_stops_everything_at_its_first_row() -> None:
    loans = [{**loan(number), "partner": "lindeby", "patron_is_alias": False} for number in range(50)]
    loans[7] |= {"patron": "0101901234", "key_id": "k"}
    set_aside, verdict, _ = through(*loans, contract="loan")
    assert (verdict.passed, verdict.reason) == (False, "PSEUDONYM_SHAPE")
    assert "1 of 1 rows break a rule that blocks" in verdict.message
    assert "0101901234" not in str(set_aside) + str(verdict)


def test_rows_whose_item_nobody_knows_are_counted_and_let_on() -> None:
    items = pa.table({"item_id": ["I1", "I2"], "placeholder": [False, True]})
    patrons = pa.table({"patron": ["a" * 32], "placeholder": [False]})
    rows = [{**loan(number), "partner": "p", "patron_is_alias": False} for number in (1, 2, 3)]
    set_aside, verdict, _ = through(*rows, contract="loan", item=items, patron=patrons)
    known = {result.rule: result for result in verdict.results}
    assert set_aside == []
    assert (known["item_known"].failed, known["item_known"].checked, known["item_known"].passed) == (2, 3, False)
    assert known["patron_known"].failed == 0
    assert verdict.passed


def test_a_reference_that_is_not_given_is_not_asked() -> None:
    _, verdict, _ = through({**loan(1), "partner": "p", "patron_is_alias": False}, contract="loan")
    item = next(result for result in verdict.results if result.rule == "item_known")
    assert (item.checked, item.failed, item.passed) == (0, 0, True)


def test_amounts_and_currencies_are_looked_at() -> None:
    def fee(number: int, **other: Any) -> dict[str, Any]:
        source = {"_member": "", "_record": number, "_offset": 0, "_length": -1}
        money = {"amount": Decimal("20.00"), "outstanding": Decimal("0.00"), "currency": "DKK"}
        return {**source, "fee_id": str(number), "kind": "overdue", "incurred_on": DAY, **money, **other}

    rows = [
        fee(1),
        fee(2, amount=Decimal("-1")),
        fee(3, currency="KRONER"),
        fee(4, outstanding=Decimal("30")),
        fee(5, settled_on=date(2020, 1, 1)),
    ]
    set_aside, verdict, _ = through(*rows, contract="ils_fee")
    assert [(row["record"], row["reason"]) for row in set_aside] == [
        (2, "AMOUNT_NEGATIVE"),
        (3, "UNKNOWN_CURRENCY"),
        (5, "SETTLED_BEFORE_FEE"),
    ]
    assert set_aside[0]["detail"].startswith("amount is -1.00: an amount is not negative")
    above = next(result for result in verdict.results if result.reason == "OUTSTANDING_ABOVE_AMOUNT")
    assert above.failed == 2  # of the negative amount too


def test_catalogue_records_are_warned_of_and_taken_in() -> None:
    def record(number: int, **other: Any) -> dict[str, Any]:
        source = {"_member": "", "_record": number, "_offset": 0, "_length": -1}
        facts = {
            "agency": "DK-799001",
            "format": "marc21",
            "title": "Huset",
            "material_type": "book",
            "encoding": "utf-8",
            "deleted": False,
        }
        return {**source, "control_number": str(number), **facts, **other}

    rows = [
        record(1, isbn=["9780306406157"], issn=["0378-5955"], language="dan", year=1998),
        record(2, isbn=["9780306406158"], issn=["1"], language="dansk", year=99),
        record(3, title="", deleted=True),
        record(4, title=""),
        record(5, isbn=[]),
    ]
    set_aside, verdict, accepted = through(*rows, contract="ils_bibliographic")
    assert (len(set_aside), accepted.num_rows) == (0, 5)
    warned = {result.reason: result.failed for result in verdict.results if result.failed}
    assert warned == {"ISBN_CHECK_DIGIT": 1, "ISSN_CHECK_DIGIT": 1, "UNKNOWN_LANGUAGE": 1, "YEAR_UNLIKELY": 1, "TITLE_EMPTY": 1}


def test_patrons_are_never_refused_for_a_check_digit() -> None:
    def patron(number: int, **other: Any) -> dict[str, Any]:
        source = {"_member": "", "_record": number, "_offset": 0, "_length": -1}
        truths = dict.fromkeys(("institution", "protected", "blocked", "deleted"), False)
        return {**source, **truths, "patron_id": str(number), **other}

    ids = ["010190-1234", "0101901234", "19640823-3234", "640823+3234", "111222333", "85.07.30-033.28", "?"]
    rows = [patron(number, national_id=value) for number, value in enumerate(ids)]
    rows += [
        patron(20, birth_date=date(2030, 1, 1)),
        patron(21, birth_date=date(1900, 1, 1)),
        patron(22, merged_into="22"),
        patron(23, email="nobody"),
    ]
    set_aside, verdict, _ = through(*rows, contract="ils_patron")
    assert [row["reason"] for row in set_aside] == ["BIRTH_IN_FUTURE", "BIRTH_TOO_LONG_AGO", "MERGED_INTO_ITSELF"]
    warned = {result.reason: result.failed for result in verdict.results if result.severity == "warn" and result.failed}
    assert warned == {"NATIONAL_ID_SHAPE": 1, "EMAIL_SHAPE": 1}


def test_an_empty_delivery_passes_with_nothing() -> None:
    gate = Gate(ILS_LOAN, today=TODAY, delivery="d")
    split = gate.split(batch())
    assert (split.accepted.num_rows, split.set_aside.num_rows) == (0, 0)
    verdict = gate.verdict()
    assert (verdict.passed, verdict.rows_in, verdict.facts()["in"]) == (True, 0, 0)


def test_a_table_without_source_columns_counts_its_rows() -> None:
    gate = Gate(ILS_LOAN, today=TODAY, delivery="d")
    rows = pa.RecordBatch.from_pylist([loan(1), loan(2, kind="hjem"), loan(1)], schema=arrow_schema(ILS_LOAN))
    assert gate.split(rows).set_aside.to_pylist()[0]["record"] == 2
    assert gate.verdict().late.num_rows == 1


def test_columns_that_the_contract_does_not_name_pass_through() -> None:
    typed = batch(loan(1)).append_column("_extra", pa.array([7]))
    assert Gate(ILS_LOAN, today=TODAY, delivery="d").split(typed).accepted.column("_extra").to_pylist() == [7]


def test_a_rule_that_cannot_be_evaluated_is_an_error_that_quotes_no_value() -> None:
    broken = replace(
        ILS_LOAN.rules[0], expectation="expect_column_values_to_match_regex", kwargs={"column": "loan_id", "regex": "("}, id="broken"
    )
    gate = Gate(replace(ILS_LOAN, rules=(broken,)), today=TODAY, delivery="d")
    with pytest.raises(BinderyError, match="rule broken could not be evaluated") as caught:
        gate.split(batch(loan(1, loan_id="0101901234")))
    assert "0101901234" not in str(caught.value)


@settings(max_examples=4, deadline=None)
@given(st.lists(st.sampled_from(["good", "kind", "future", "event", "item", "late"]), min_size=1, max_size=20), st.integers(5, 12))
def test_chunks_of_any_size_split_alike_and_every_row_is_accounted_for(ways: list[str], chunk: int) -> None:
    wrong = {
        "good": {},
        "kind": {"kind": "x"},
        "future": {"loaned_on": date(2062, 1, 1), "due_on": None},
        "event": {"event": None},
        "item": {"item_id": None},
        "late": {"loan_id": "same"},
    }
    rows = batch(*[loan(number, **wrong[way]) for number, way in enumerate(ways)])
    whole, parts = Gate(ILS_LOAN, today=TODAY, delivery="d"), Gate(ILS_LOAN, today=TODAY, delivery="d")
    expected = whole.split(rows)
    before, module.CHUNK = module.CHUNK, chunk
    try:
        split = parts.split(rows)
    finally:
        module.CHUNK = before
    assert split.accepted.equals(expected.accepted)
    assert split.set_aside.equals(expected.set_aside)
    one, other = whole.verdict(), parts.verdict()
    assert one.results == other.results
    assert one.rows_in == one.accepted + one.quarantined == len(ways)
    assert one.quarantined == len(ways) - ways.count("good") - min(1, ways.count("late"))
