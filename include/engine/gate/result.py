"""What a gate says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from include.engine.contract.model import Severity
from include.engine.quarantine.schema import SET_ASIDE

#: SET_ASIDE without `raw`: a gate sees rows, not their bytes.
FOUND: pa.Schema = pa.schema([column for column in SET_ASIDE if column.name != "raw"])
NOTHING: pa.Table = FOUND.empty_table()


@dataclass(frozen=True)
class RuleResult:
    """One rule over the whole delivery: rows checked (a null is not), rows that broke it, and whether so many are allowed."""

    rule: str
    severity: Severity
    reason: str
    checked: int
    failed: int
    passed: bool


@dataclass(frozen=True)
class Split:
    """One batch, divided: the rows that go on, with all their columns, and those set aside, each once, with its first reason.

    `positions`: where in the batch the rows set aside stood (from 0, ascending).
    """

    accepted: pa.RecordBatch
    set_aside: pa.Table
    positions: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Verdict:
    """The whole delivery.

    passed: False blocks it; then `reason` and `message` say why. `quarantined` counts the rows that broke a rule, late ones too.
    late: rows found only over the whole (duplicates), as SET_ASIDE without raw; they were handed out as accepted and must be taken out
    again: `late_positions` are their positions (from 0, ascending) among the accepted rows, in the order in which these were handed out.
    samples: for receipts, the first few rows that broke each rule, warnings too, as SET_ASIDE without raw.
    """

    passed: bool
    reason: str | None
    message: str
    results: tuple[RuleResult, ...]
    rows_in: int
    accepted: int
    quarantined: int
    late: pa.Table = field(default_factory=lambda: NOTHING)
    late_positions: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    samples: pa.Table = field(default_factory=lambda: NOTHING)

    @property
    def warnings(self) -> int:
        """Rows that broke a rule which only warns, counted once for each rule."""
        return sum(result.failed for result in self.results if result.severity == "warn")

    def facts(self) -> dict[str, Any]:
        """The figures, as JSON has them."""
        figures = {"in": self.rows_in, "accepted": self.accepted, "quarantined": self.quarantined, "warnings": self.warnings}
        return {"passed": self.passed, "reason": self.reason, **figures}
