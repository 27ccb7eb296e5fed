"""What was found in a file on the way through it: how many records were clean, repaired and set aside, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from include.marc.batch import Batch, Outcome

REPAIRED, ASIDE = "repaired", "set aside"
PLACE = ("record", "offset", "reason", "detail")


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one record: `outcome` is what became of it."""

    outcome: str
    record: int
    offset: int
    reason: str
    detail: str | None

    def __str__(self) -> str:
        found = f": {self.detail}" if self.detail else ""
        return f"record {self.record:,} at byte {self.offset:,}: {'set aside: ' * (self.outcome != REPAIRED)}{words(self.reason)}{found}"


@dataclass
class Told:
    """Counts over all batches. `repaired` and `aside` by reason: how many records; `records` are those that were read. `problems`: the first ones."""

    records: int = 0
    clean: int = 0
    repaired: Counter[str] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    keep: int = 0  # so many of them

    def over(self, batches: Iterable[Batch], aside: BinaryIO | None = None) -> Iterator[Batch]:
        """The batches, counted as they go by. The bytes of what is set aside are written to `aside`."""
        for batch in batches:
            self.add(batch)
            if aside is not None:
                aside.writelines(batch.aside.column("raw").to_pylist())
            yield batch

    def add(self, batch: Batch) -> None:
        self.records += len(batch)
        self.clean += int((batch.outcome == Outcome.CLEAN).sum())
        pairs = set(zip(batch.issues.column("record").to_pylist(), batch.issues.column("reason").to_pylist(), strict=True))
        self.repaired.update(code for _, code in pairs)
        self.aside.update(batch.aside.column("reason").to_pylist())
        for table, outcome in ((batch.issues, REPAIRED), (batch.aside, ASIDE)):
            columns = [table.slice(0, max(self.keep - len(self.problems), 0)).column(name).to_pylist() for name in PLACE]
            self.problems += [Problem(outcome, *row) for row in zip(*columns, strict=True)]

    @property
    def damaged(self) -> int:
        """How many records were set aside."""
        return sum(self.aside.values())

    def lines(self) -> Iterator[str]:
        """In words, a line each."""
        yield f"{self.records:>12,} records read, {self.clean:,} of them clean, {self.records - self.clean:,} repaired"
        yield f"{self.damaged:>12,} set aside"
        for title, counts in (("", self.repaired), (f"{ASIDE}: ", self.aside)):
            for code, count in counts.most_common():
                yield f"{count:>12,} x {title}{words(code)}"


def words(code: str) -> str:
    """What a reason code means, with the code."""
    from include.engine.reasons import reason  # not above: a file in which all is well needs no words

    return f"{reason(code).text['en']} ({code})"
