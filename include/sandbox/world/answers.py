"""The answer sheet: for every file delivered, what must come of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from include.sandbox.world.render.lines import Tally

Outcome = Literal["published", "duplicate", "blocked", "held"]


@dataclass(frozen=True)
class Changes:
    """How many rows of one lake table a delivery adds, changes, deletes and leaves as they are, when the day before it was taken in whole."""

    added: int = 0
    changed: int = 0
    deleted: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class Answer:
    """What must come of one file.

    `records` counts source records; `good + sum(set_aside) == records`. `set_aside` is by reason code, `faults` by the kind of what was broken.
    `repaired` of the good ones are broken in a way that a reader mends, and says so.
    `unknown_items` counts items that loans name and no item file does (each becomes a placeholder), `unknown_item_rows` the rows that do.
    """

    file: str
    day: Literal[1, 2]
    table: str
    mode: Literal["full", "delta", "append"]
    records: int
    good: int
    loans: Literal["open", "history", "events"] | None = None
    set_aside: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    outcome: Outcome = "published"
    reason: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    changes: dict[str, Changes] = field(default_factory=dict)
    repaired: int = 0
    unknown_items: int = 0
    unknown_item_rows: int = 0
    bytes: int = 0
    sha256: str = ""
    note: str = ""

    @classmethod
    def of(cls, tally: Tally, **facts: Any) -> Answer:
        """The answer for a file written under `tally`."""
        counts: dict[str, Any] = {
            "repaired": tally.repaired,
            "set_aside": dict(sorted(tally.codes.items())),
            "faults": dict(sorted(tally.kinds.items())),
        }
        return cls(records=tally.good + tally.codes.total(), good=tally.good, **counts, **facts)


@dataclass(frozen=True)
class Sheet:
    """All answers of one library, and what they were made from."""

    library: str
    loans: int
    seed: int
    bad: float
    last: str
    files: tuple[Answer, ...]

    def answer(self, file: str, day: int = 1) -> Answer:
        """The answer for a file of that day; KeyError when there is none."""
        for answer in self.files:
            if answer.file == file and answer.day == day:
                return answer
        raise KeyError(f"{self.library} delivers no {file} on day {day}")


def save(sheet: Sheet, path: Path) -> None:
    path.write_text(json.dumps(asdict(sheet), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> Sheet:
    """The sheet that `save` wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Sheet(**(data | {"files": tuple(_answer(entry) for entry in data["files"])}))


def _answer(entry: dict[str, Any]) -> Answer:
    changes: dict[str, dict[str, int]] = entry.pop("changes")
    return Answer(**entry, changes={table: Changes(**counts) for table, counts in changes.items()})
