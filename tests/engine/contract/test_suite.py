"""A contract as a Great Expectations suite."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from include.engine.contract import load, load_all
from include.engine.contract.suite import expectation, resolve, suite
from include.engine.errors import SettingsError

LOAN = load("ils_loan")


def rule(name: str):
    return next(rule for rule in LOAN.rules if rule.id == name)


def test_every_contract_becomes_a_suite_with_its_row_rules() -> None:
    for contract in load_all().values():
        made = suite(contract, date(2026, 11, 21))
        assert [one.meta["rule"] for one in made.expectations] == [rule.id for rule in contract.rules if rule.scope == "row"]


def test_quarantine_becomes_mostly_and_severities_keep_their_weight() -> None:
    made = {one.meta["rule"]: one for one in suite(load("loan"), date(2026, 11, 21)).expectations}
    assert (made["loan_not_in_future"].mostly, made["loan_not_in_future"].severity) == (0.95, "warning")
    assert (made["patron_is_pseudonym"].mostly, made["patron_is_pseudonym"].severity) == (1, "critical")
    assert made["loan_not_before_1970"].severity == "info"


def test_today_is_the_day_of_receipt() -> None:
    today = date(2028, 2, 29)
    assert resolve({"$today": 1}, rule("loan_not_in_future"), LOAN, today) == pd.Timestamp("2028-03-01")
    assert resolve({"$today": "-120 years"}, rule("loan_not_in_future"), LOAN, today) == pd.Timestamp("1908-02-28")
    assert resolve({"$today": "-120 years"}, rule("loan_not_in_future"), LOAN, date(2026, 5, 1)) == pd.Timestamp("1906-05-01")
    assert resolve({"$today": 0}, rule("event_not_in_future"), LOAN, today) == pd.Timestamp("2028-02-29", tz="UTC")
    assert resolve({"$year": 5}, rule("loan_not_in_future"), LOAN, today) == 2033
    assert resolve({"$date": "1970-01-01"}, rule("loan_not_in_future"), LOAN, today) == pd.Timestamp("1970-01-01")
    assert resolve({"other": 1}, rule("loan_not_in_future"), LOAN, today) == {"other": 1}


def test_an_expectation_that_nobody_knows_is_told_with_its_rule() -> None:
    strange = replace(rule("loan_not_in_future"), expectation="expect_the_unexpected")
    with pytest.raises(SettingsError, match="loan_not_in_future"):
        expectation(strange, LOAN, date(2026, 11, 21))
