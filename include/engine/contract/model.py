"""What a contract says, once it is read: columns, rules, and what happens when a rule breaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

Classification = Literal["identity", "personal", "public"]
Severity = Literal["block", "quarantine", "warn"]
Scope = Literal["row", "delivery"]
Handoff = Literal["incoming", "lake", "bi", "outbound"]


@dataclass(frozen=True)
class Column:
    """One column. `identity` says who someone is (number, card, name, address); `personal` is about a person; the rest is `public`."""

    name: str
    type: pa.DataType
    required: bool
    key: bool
    description: str
    classification: Classification
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule in words, and how Great Expectations judges it.

    scope `row`: `expectation` with `kwargs` is judged on the rows themselves, and says which of them break it.
    scope `delivery`: DuckDB computes one number over the delivery (`query`, or a metric of the standard when `query` is None), and
    `expectation` judges the one-row frame that holds it. `unit` "percent" divides that number by the delivery's rows.
    `references` are the other tables that `query` names.
    """

    id: str
    column: str | None
    expectation: str
    kwargs: dict[str, Any]
    severity: Severity
    reason: str
    description: str
    scope: Scope
    query: str | None = None
    metric: str | None = None
    columns: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    unit: Literal["rows", "percent"] = "rows"


@dataclass(frozen=True)
class Contract:
    """A hand-off's promise.

    identity: the table may hold identity numbers, cards, names and addresses; no other table may.
    block_above: share (0..1) of bad rows above which the whole delivery is blocked, once at least `block_from` rows are bad
    (so that one bad row in a delivery of three is set aside, and the other two are taken in).
    delete_above: share (0..1) of the partner's rows that one full delivery may delete before a person must approve.
    keep_days: how long after the day in the column keep_by a row of the lake is kept; None: as long as it is delivered.
    """

    id: str
    version: str
    title: str
    purpose: str
    table: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    handoff: Handoff
    identity: bool = False
    block_above: float = 0.05
    block_from: int = 10
    delete_above: float = 0.2
    keep_by: str | None = None
    keep_days: int | None = None
    usage: str = ""
    limitations: str = ""
    sources: tuple[str, ...] = field(default=())

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that make a row unique within its partner, in key order."""
        return tuple(column.name for column in self.columns if column.key)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.id} has no column {name}")
