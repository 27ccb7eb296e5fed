"""Switches for what goes wrong at a stand-in: each fault a number of times, then all is well again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Switches:
    """`faults.set("busy", 2)`; `taken` counts what has gone wrong. `names` are the faults that there are."""

    names: tuple[str, ...]
    left: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)

    def set(self, name: str, times: int = 1) -> None:
        """Let it go wrong the next `times` times; ValueError for what is no fault."""
        if name not in self.names:
            raise ValueError(f"{name!r} is no fault: one of {', '.join(self.names)}")
        self.left[name] = times

    def take(self, name: str) -> bool:
        """Whether it goes wrong now."""
        if self.left[name] <= 0:
            return False
        self.left[name] -= 1
        self.taken[name] += 1
        return True
