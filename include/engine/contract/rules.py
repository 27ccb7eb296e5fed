"""One `quality` entry of the standard -> Rule.

`custom` (engine greatExpectations) is judged on rows; `library` and `sql` are numbers over the delivery, judged on a one-row frame.
"""

from __future__ import annotations

from typing import Any, get_args

from open_data_contract_standard.model import DataQuality

from include.engine.contract.model import Column, Rule, Severity

METRICS = ("rowCount", "duplicateValues")
#: kwargs of an expectation that name columns
COLUMN_KWARGS = ("column", "given", "column_A", "column_B", "column_list")
BETWEEN, IN_SET, NOT_IN_SET = (
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_not_be_in_set",
)


class RuleError(ValueError):
    """A quality entry that cannot be used; the message says why."""


def required_rule(column: Column) -> Rule:
    """`required: true` as a rule: a row without the value is set aside."""
    return Rule(
        id=f"{column.name}_given",
        column=column.name,
        expectation="expect_column_values_to_not_be_null",
        kwargs={"column": column.name},
        severity="quarantine",
        reason="KEY_MISSING" if column.key else "VALUE_MISSING",
        description=f"Every row has {column.name}.",
        scope="row",
    )


def rule(quality: DataQuality, column: str | None, columns: frozenset[str]) -> Rule:
    """The rule in `quality`, which stands at `column` (None: at the table); `columns` are those of the contract. Raises RuleError."""
    if not quality.id:
        raise RuleError("a rule needs an id")
    if quality.severity not in get_args(Severity):
        raise RuleError(f"{quality.id}: severity {quality.severity} is none of {', '.join(get_args(Severity))}")
    custom = {one.property: one.value for one in quality.customProperties or ()}
    strange = set(custom) - {"reason", "references"}
    if strange or "reason" not in custom:
        raise RuleError(f"{quality.id}: customProperties hold reason, and references where a query names other tables")
    shared: dict[str, Any] = {
        "id": quality.id,
        "column": column,
        "severity": quality.severity,
        "reason": custom["reason"],
        "description": quality.description or "",
        "unit": quality.unit or "rows",
    }
    if quality.type == "custom":
        return Rule(**shared, scope="row", **_row_judgement(quality, column, columns))
    expectation, kwargs = _operator(quality)
    delivery: dict[str, Any] = {"scope": "delivery", "expectation": expectation, "kwargs": {"column": quality.id, **kwargs}}
    if quality.severity == "quarantine" and quality.metric != "duplicateValues":
        raise RuleError(f"{quality.id}: a number over the delivery can block it or warn; it cannot say which rows to set aside")
    if quality.type == "sql":
        if not quality.query or "{table}" not in quality.query:
            raise RuleError(f"{quality.id}: a sql rule has a query that counts rows of {{table}}")
        return Rule(**shared, **delivery, query=quality.query, references=tuple(custom.get("references") or ()))
    if quality.type in ("library", None) and quality.metric in METRICS:
        named = tuple((quality.arguments or {}).get("properties") or ([column] if column else ()))
        _known(quality.id, named, columns)
        if quality.metric == "duplicateValues" and not named:
            raise RuleError(f"{quality.id}: duplicateValues at the table says which columns: arguments: {{properties: [...]}}")
        return Rule(**shared, **delivery, metric=quality.metric, columns=named)
    raise RuleError(f"{quality.id}: type is custom, sql or library (metric {' or '.join(METRICS)})")


def _row_judgement(quality: DataQuality, column: str | None, columns: frozenset[str]) -> dict[str, Any]:
    if quality.engine != "greatExpectations" or not isinstance(quality.implementation, dict) or "type" not in quality.implementation:
        raise RuleError(f"{quality.id}: a custom rule has engine: greatExpectations and implementation: {{type: ..., kwargs: ...}}")
    kwargs = dict(quality.implementation.get("kwargs") or {})
    if column is not None and not any(name in kwargs for name in COLUMN_KWARGS):
        kwargs["column"] = column
    named = [name for key in COLUMN_KWARGS if key in kwargs for name in ([kwargs[key]] if isinstance(kwargs[key], str) else kwargs[key])]
    if not named:
        raise RuleError(f"{quality.id}: the rule names no column")
    named += list(kwargs.get("when") or {})
    _known(quality.id, tuple(named), columns)
    return {"expectation": quality.implementation["type"], "kwargs": kwargs, "columns": tuple(named)}


def _known(rule_id: str | None, named: tuple[str, ...], columns: frozenset[str]) -> None:
    unknown = sorted(set(named) - columns)
    if unknown:
        raise RuleError(f"{rule_id}: the contract has no column {', '.join(unknown)}")


def _operator(quality: DataQuality) -> tuple[str, dict[str, Any]]:
    """The standard's comparison as an expectation about one number."""
    forms: list[tuple[Any, str, dict[str, Any]]] = [
        (quality.mustBe, IN_SET, {"value_set": [quality.mustBe]}),
        (quality.mustNotBe, NOT_IN_SET, {"value_set": [quality.mustNotBe]}),
        (quality.mustBeGreaterThan, BETWEEN, {"min_value": quality.mustBeGreaterThan, "strict_min": True}),
        (quality.mustBeGreaterOrEqualTo, BETWEEN, {"min_value": quality.mustBeGreaterOrEqualTo}),
        (quality.mustBeLessThan, BETWEEN, {"max_value": quality.mustBeLessThan, "strict_max": True}),
        (quality.mustBeLessOrEqualTo, BETWEEN, {"max_value": quality.mustBeLessOrEqualTo}),
    ]
    if quality.mustBeBetween:
        forms.append((True, BETWEEN, {"min_value": quality.mustBeBetween[0], "max_value": quality.mustBeBetween[1]}))
    given = [(expectation, kwargs) for value, expectation, kwargs in forms if value is not None]
    if len(given) != 1:
        raise RuleError(f"{quality.id}: exactly one comparison is needed, such as mustBe: 0")
    return given[0]
