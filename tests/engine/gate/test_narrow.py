"""A gate that sees narrow rows says the same as one that sees them whole."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from include.engine.contract import arrow_schema, load
from include.engine.contract.model import Contract
from include.engine.gate.gate import Gate
from include.engine.gate.narrow import CONTENT, Narrow
from include.engine.gate.result import Split, Verdict
from tests.engine.gate.loans import ILS_LOAN, TODAY, batch, loan

LONG = "<record>" + "x" * 5_000 + "</record>"


def _judged(contract: Contract, rows: pa.RecordBatch) -> tuple[Split, Verdict]:
    gate = Gate(contract, today=TODAY, delivery="d")
    return gate.split(rows), gate.verdict()


def _records(*texts: str | None) -> pa.RecordBatch:
    """Harvested records, alive, with these metadata; each has an identifier of its own but for the last two."""
    identifiers = [f"oai:x:{min(number, len(texts) - 2)}" for number in range(len(texts))]
    rows = [
        {
            "_member": "",
            "_record": number,
            "_offset": 0,
            "_length": -1,
            "prefix": "marcxml",
            "identifier": name,
            "deleted": False,
            "xml": text,
        }
        | {"partner": "almvik", "datestamp": datetime(2026, 11, 1, tzinfo=UTC)}
        for number, (name, text) in enumerate(zip(identifiers, texts, strict=True))
    ]
    return pa.RecordBatch.from_pylist(rows, schema=arrow_schema(load("oai_record"), source_columns=True))


def test_a_document_that_has_only_to_be_there_is_its_first_letter() -> None:
    narrow = Narrow(load("oai_record")).of(_records(LONG, "", None, LONG))
    assert narrow.column("xml").to_pylist() == ["<", "", None, "<"]
    assert "sets" not in narrow.schema.names


@pytest.mark.parametrize(("last", "reason"), [(LONG, "DUPLICATE_ROW"), (LONG + "<!-- -->", "DUPLICATE_KEY")])
def test_rows_of_one_key_are_told_apart_by_the_whole_row_also_by_what_no_rule_reads(last: str, reason: str) -> None:
    contract, rows = load("oai_record"), _records(LONG, "", None, LONG, last)
    (whole, told), (narrow, said) = _judged(contract, rows), _judged(contract, Narrow(contract).of(rows))
    assert [(row["record"], row["reason"]) for row in said.late.to_pylist()] == [(4, reason)]
    assert (said.late, said.results, said.late_positions.tolist()) == (told.late, told.results, told.late_positions.tolist())
    assert narrow.set_aside == whole.set_aside
    assert narrow.positions.tolist() == whole.positions.tolist() == [1, 2]


def test_every_loan_is_judged_alike_and_its_words_are_the_same() -> None:
    wrong = [{}, {"loan_id": None}, {"kind": "hjem"}, {"item_id": "", "barcode": ""}, {"renewals": -1}, {"patron_id": None}]
    rows = batch(*[loan(number, **one) for number, one in enumerate(wrong)], loan(0))
    (whole, told), (narrow, said) = _judged(ILS_LOAN, rows), _judged(ILS_LOAN, Narrow(ILS_LOAN).of(rows))
    assert narrow.set_aside == whole.set_aside
    assert narrow.set_aside.num_rows == 4
    assert (said.results, said.late, said.samples) == (told.results, told.late, told.samples)
    assert CONTENT in narrow.accepted.schema.names


def test_what_a_query_reads_stays_whole_and_further_columns_may_be_asked_for() -> None:
    loans = load("loan")
    kept = Narrow(loans).of(pa.RecordBatch.from_pylist([dict.fromkeys(loans.names)], schema=arrow_schema(loans)))
    assert {"item_id", "patron"} <= set(kept.schema.names)
    records = load("oai_record")
    assert "sets" in Narrow(records, ["sets"]).of(_records(LONG, LONG)).schema.names
