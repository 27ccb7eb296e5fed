"""The words for a row that is set aside."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from include.engine.gate.details import details, shown
from tests.engine.gate.loans import ILS_LOAN, TODAY, batch, loan


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("hjem", "hjem"),
        ("hjemlån", "hjemlån"),
        ("in_library", "in_library"),
        ("L1", "L1"),
        ("010190-1234", "######-####"),
        ("Karen Blixen", "Xxxxx Xxxxxx"),
        ("4711", "####"),
        ("", ""),
        (None, None),
    ],
)
def test_a_public_text_shows_only_when_it_is_a_short_code(value: str | None, words: str | None) -> None:
    assert shown(ILS_LOAN, batch(loan(1, kind=value)), "kind", np.array([0])).to_pylist() == [words]


def test_who_a_patron_is_shows_only_its_shape() -> None:
    rows = batch(loan(1, patron_id="Ab12"))
    assert shown(ILS_LOAN, rows, "patron_id", np.array([0])).to_pylist() == ["Xx##"]


def test_days_moments_and_counts_are_shown_as_they_are() -> None:
    rows = batch(loan(1, renewals=-3, happened_at=datetime(2027, 1, 2, 3, 4, tzinfo=UTC)))
    first = np.array([0])
    assert shown(ILS_LOAN, rows, "loaned_on", first).to_pylist() == ["2026-10-01"]
    assert shown(ILS_LOAN, rows, "happened_at", first).to_pylist() == ["2027-01-02 03:04"]
    assert shown(ILS_LOAN, rows, "renewals", first).to_pylist() == ["-3"]


def test_both_days_of_a_pair_are_told() -> None:
    rule = next(rule for rule in ILS_LOAN.rules if rule.reason == "DUE_BEFORE_LOAN")
    rows = batch(loan(1), loan(2, due_on=date(2026, 9, 1)))
    assert details(rule, ILS_LOAN, rows, np.array([1]), TODAY) == pa.array(
        ["due_on lies before the loan (2026-09-01; the loan is of 2026-10-01)"]
    )
