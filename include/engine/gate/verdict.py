"""The verdict over a whole delivery: its figures become one row, a column a rule, and Great Expectations judges that row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd
import pyarrow as pa

from include.engine.contract.model import Contract, Rule
from include.engine.contract.rules import BETWEEN
from include.engine.contract.suite import SEVERITIES, make
from include.engine.gate.judge import judge
from include.engine.gate.result import RuleResult, Verdict
from include.engine.gate.tally import Tally
from include.engine.gate.whole import Late, Whole
from include.engine.reasons import words

#: The column of the share of bad rows, beside those that are called as their rule
SHARE = "share_set_aside"


@dataclass(frozen=True)
class _Figure:
    """A rule's number over the delivery, and what Great Expectations is to say of it."""

    rule: Rule
    checked: int
    failed: int
    observed: float
    expectation: str
    kwargs: dict[str, Any]


def verdict(
    contract: Contract, tally: Tally, whole: Whole, late: Late, samples: pa.Table, *, name: str, set_aside_before: int = 0
) -> Verdict:
    """Judges the figures. A broken `block` rule, or a larger share of bad rows than the contract allows, blocks the delivery."""
    rows_in = tally.rows + set_aside_before
    quarantined = tally.bad + len(late.positions)
    bad = quarantined + set_aside_before
    share = bad / rows_in if rows_in else 0.0
    allowed_share = contract.block_above if bad >= contract.block_from else 1.0
    figures = [_figure(rule, contract, tally, whole, late) for rule in contract.rules]
    kept = _judged(figures, share, allowed_share, name)
    results = tuple(
        RuleResult(figure.rule.id, figure.rule.severity, figure.rule.reason, figure.checked, figure.failed, kept[figure.rule.id])
        for figure in figures
    )
    broken = next((result for result in results if result.severity == "block" and not result.passed), None)
    reason, message = None, ""
    if broken is not None:
        rule = next(rule for rule in contract.rules if rule.id == broken.rule)
        reason, message = rule.reason, f"{broken.failed} of {broken.checked} rows break a rule that blocks: {rule.description}"
    elif not kept[SHARE]:
        reason = "TOO_MANY_SET_ASIDE"
        message = words(reason, "en", count=bad, value=rows_in, limit=f"{contract.block_above:.1%}")
    return Verdict(
        passed=reason is None,
        reason=reason,
        message=message,
        results=results,
        rows_in=tally.rows,
        accepted=tally.rows - quarantined,
        quarantined=quarantined,
        late=late.rows,
        late_positions=late.positions,
        samples=samples,
    )


def _figure(rule: Rule, contract: Contract, tally: Tally, whole: Whole, late: Late) -> _Figure:
    if rule.scope == "row":
        checked, failed = tally.checked[rule.id], tally.failed[rule.id]
        limit = contract.block_above if rule.severity == "quarantine" and failed >= contract.block_from else 0.0
        if rule.severity == "quarantine" and failed < contract.block_from:
            limit = 1.0
        return _Figure(rule, checked, failed, failed / checked if checked else 0.0, BETWEEN, {"column": rule.id, "max_value": limit})
    if rule.metric == "rowCount":
        return _Figure(rule, tally.rows, 0, tally.rows, rule.expectation, rule.kwargs)
    passed_rows = tally.rows - tally.bad
    if rule.metric == "duplicateValues":
        failed, checked = len(late.positions), passed_rows
    else:
        counted = whole.counted(rule)
        failed, checked = (0, 0) if counted is None else (counted, passed_rows)
    observed = 100 * failed / checked if rule.unit == "percent" and checked else float(failed)
    if rule.severity == "quarantine":  # duplicates are set aside; too many of them block through the share
        return _Figure(rule, checked, failed, 0.0, rule.expectation, rule.kwargs)
    if rule.query is not None and checked == 0:  # not asked: a table was not given, or no row got here
        return _Figure(rule, checked, failed, 0.0, BETWEEN, {"column": rule.id, "min_value": 0})
    return _Figure(rule, checked, failed, observed, rule.expectation, rule.kwargs)


def _judged(figures: list[_Figure], share: float, allowed: float, name: str) -> dict[str, bool]:
    row = pd.DataFrame({SHARE: np.array([share]), **{figure.rule.id: np.array([float(figure.observed)]) for figure in figures}})
    expectations = [make(BETWEEN, column=SHARE, max_value=allowed, meta={"rule": SHARE}, severity="critical")]
    for figure in figures:
        shared = {"meta": {"rule": figure.rule.id}, "severity": SEVERITIES[figure.rule.severity], "description": figure.rule.description}
        expectations.append(make(figure.expectation, **figure.kwargs, **shared))
    answers = judge(row, gx.ExpectationSuite(name=name, expectations=expectations), name)
    return {rule: answer.success for rule, answer in answers.items()}
