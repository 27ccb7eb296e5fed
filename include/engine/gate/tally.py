"""The running figures of a delivery in a gate."""

from __future__ import annotations

from collections import Counter

from include.engine.contract.model import Rule
from include.engine.gate.judge import Answer


class Tally:
    """Rows in, rows set aside, and by rule the rows that were checked and those that broke it."""

    def __init__(self) -> None:
        self.rows = 0
        self.bad = 0
        self.checked: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def count(self, rule: Rule, answer: Answer) -> None:
        """Adds what one chunk said of one rule."""
        self.checked[rule.id] += answer.checked
        self.failed[rule.id] += len(answer.positions)

    def divide(self, rows: int, bad: int) -> None:
        """Adds one chunk of `rows`, of which `bad` were set aside."""
        self.rows += rows
        self.bad += bad
