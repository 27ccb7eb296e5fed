"""A contract as a Great Expectations suite: its row rules, ready to be judged on a frame."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import great_expectations as gx
import pandas as pd
import pyarrow as pa
from great_expectations.expectations.registry import get_expectation_impl

from include.engine.contract import expectations  # noqa: F401  registers our own with Great Expectations
from include.engine.contract.model import Contract, Rule
from include.engine.errors import SettingsError

SEVERITIES = {"block": "critical", "quarantine": "warning", "warn": "info"}
YEARS = re.compile(r"([+-]?\d+) years?")


def suite(contract: Contract, today: date) -> gx.ExpectationSuite:
    """The contract's row rules as expectations, each with its rule's id in `meta`; `today` is what `$today` and `$year` mean.

    Severity quarantine becomes `mostly` (1 - block_above), and the severities Great Expectations' own critical, warning and info.
    """
    made = [expectation(rule, contract, today) for rule in contract.rules if rule.scope == "row"]
    return gx.ExpectationSuite(name=f"{contract.id} {contract.version}", expectations=made, meta={"contract": contract.id})


def expectation(rule: Rule, contract: Contract, today: date) -> Any:
    """One row rule as an expectation. SettingsError when Great Expectations does not know it, or its arguments."""
    kwargs = {name: resolve(value, rule, contract, today) for name, value in rule.kwargs.items()}
    if "when" in kwargs:
        kwargs["column_list"] = [kwargs.pop("column"), *kwargs["when"]]
    elif "given" in kwargs:
        kwargs["column_list"] = [kwargs.pop("column"), kwargs.pop("given")]
    mostly = 1 - contract.block_above if rule.severity == "quarantine" else 1
    shared = {"mostly": mostly, "meta": {"rule": rule.id}, "severity": SEVERITIES[rule.severity], "description": rule.description}
    try:
        return make(rule.expectation, **kwargs, **shared)
    except Exception as error:
        what = f"rule {rule.id}: Great Expectations cannot use {rule.expectation}: {error}"
        raise SettingsError(what, where=f"{contract.id}.odcs.yaml", do="Mend the rule.", code="CONTRACT_INVALID") from error


def make(type: str, **arguments: Any) -> Any:
    """The expectation of that type, ours or Great Expectations' own."""
    kind: Any = get_expectation_impl(type)
    return kind(**arguments)


def resolve(value: Any, rule: Rule, contract: Contract, today: date) -> Any:
    """An argument with its day filled in.

    `{$today: 1}` is the day after the day of receipt, `{$today: "-120 years"}` 120 years before it, `{$date: "1970-01-01"}` that day;
    `{$year: 5}` is the number of the year five years on. Days are midnight, as pandas compares them; in UTC for a column of moments.
    """
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((name, offset),) = value.items()
    if name == "$year":
        return today.year + int(offset)
    if name == "$date":
        return _moment(date.fromisoformat(str(offset)), rule, contract)
    if name == "$today":
        return _moment(_shifted(today, offset), rule, contract)
    return value


def _shifted(today: date, offset: Any) -> date:
    years = YEARS.fullmatch(str(offset))
    if years is None:
        return today + timedelta(days=int(offset))
    year = today.year + int(years[1])
    return today.replace(year=year, day=28) if (today.month, today.day) == (2, 29) else today.replace(year=year)


def _moment(day: date, rule: Rule, contract: Contract) -> pd.Timestamp:
    in_utc = rule.column is not None and pa.types.is_timestamp(contract.column(rule.column).type)
    return pd.Timestamp(day, tz="UTC" if in_utc else None)
