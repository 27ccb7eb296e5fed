"""A small consistent library world, made by chance from a seed: titles, items, patrons, loans, holds and fees of four made-up libraries.

`make` writes what a library's system would export, in the formats of include/profiles, and returns the answer sheet: for every file what
must come of it, figure by figure.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

from include.sandbox.world.answers import Answer, Changes, Sheet, load, save
from include.sandbox.world.delivery import first_day
from include.sandbox.world.overnight import second_day
from include.sandbox.world.world import LAST_DAY, World, world

__all__ = ["LAST_DAY", "Answer", "Changes", "Sheet", "World", "load", "make", "save", "world"]


def make(
    library: str,
    loans: int,
    out: Path,
    *,
    seed: int = 1,
    bad: float = 0.0,
    last: date = LAST_DAY,
    only: Collection[str] | None = None,
    two_days: bool = True,
) -> Sheet:
    """Writes `<out>/<library>/day1`, `day2` and `answers.json`; the same arguments give the same bytes.

    `loans` counts loans, not rows: events are two to three times as many. `bad` is the share of broken records. `only` names tables.
    """
    if not 0 <= bad < 0.5:
        raise ValueError(f"bad is {bad}: a share from 0 to below 0.5")
    here, made = out / library, world(library, loans, seed, last)
    answers = first_day(made, here / "day1", bad, only)
    if two_days:
        answers += second_day(made, here / "day2", answers, here / "day1", bad)
    sheet = Sheet(library, loans, seed, bad, last.isoformat(), tuple(answers))
    save(sheet, here / "answers.json")
    return sheet
