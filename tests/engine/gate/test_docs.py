"""A verdict as a Data Docs page that works with no net."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import great_expectations as gx
from lxml import html

from include.engine.gate.docs import data_docs
from include.engine.gate.gate import Gate
from tests.engine.gate.loans import ILS_LOAN, TODAY, batch, loan


def test_the_page_fetches_nothing_and_says_what_broke() -> None:
    gate = Gate(ILS_LOAN, today=TODAY, delivery="lindeby__loan")
    gate.split(batch(loan(1), loan(2, kind="hjem"), loan(3, event="return")))
    made = data_docs(ILS_LOAN, gate.verdict(), delivery="lindeby__loan", today=TODAY, at=datetime(2026, 11, 21, 6, tzinfo=UTC))
    assert not re.search(r"<script|<link|<img|<iframe|url\(|@import|https?://", made)
    text = html.document_fromstring(made).text_content()
    assert "The kind of loan is one that we know." in text
    assert "A return says on which day it happened." in text
    assert re.search(rf"Great Expectations Version\s*{re.escape(gx.__version__)}", text)


def test_an_empty_delivery_has_a_page_too() -> None:
    gate = Gate(ILS_LOAN, today=TODAY, delivery="d")
    made = data_docs(ILS_LOAN, gate.verdict(), delivery="d", today=TODAY, at=datetime(2026, 11, 21, tzinfo=UTC))
    assert "ils_loan" in made
