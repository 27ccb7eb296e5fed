"""The gate: a contract's rules held against rows. Great Expectations decides, and its own row positions are the split."""

from __future__ import annotations

from include.engine.gate.result import RuleResult, Split, Verdict

__all__ = ["RuleResult", "Split", "Verdict"]
