"""Loans for the gate's tests: good ones, and one way of going wrong each."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from include.engine.contract import Contract, arrow_schema, load

TODAY = date(2026, 11, 21)
DAY = date(2026, 10, 1)
ILS_LOAN = load("ils_loan")


def loan(number: int, **other: Any) -> dict[str, Any]:
    """A good loan, 100 bytes long, with whatever is to be different."""
    source = {"_member": "loans.csv", "_record": number, "_offset": 100 * number, "_length": 100}
    facts = {"loan_id": f"L{number}", "event": "loan", "event_id": "once", "kind": "home", "item_id": f"I{number}", "renewals": 0}
    return {**source, **facts, "loaned_on": DAY, "due_on": DAY + timedelta(days=30), **other}


def batch(*rows: dict[str, Any], contract: Contract = ILS_LOAN) -> pa.RecordBatch:
    """The rows as a staged batch."""
    return pa.RecordBatch.from_pylist(list(rows), schema=arrow_schema(contract, source_columns=True))
