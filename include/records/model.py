"""What every form of a record is shown as: lines with a name and parts, and where the reading broke."""

from __future__ import annotations

from dataclasses import dataclass

MOST_LINES = 400
MOST_PARTS = 100
LONGEST = 2_000
"""Lines of a record, parts of a line and characters of a part that are shown; what is more is counted."""


@dataclass(frozen=True)
class Part:
    """One value: a subfield, a data element, a cell. `code` is its own name within the line, "" where it has none."""

    value: str
    code: str = ""
    masked: bool = False


@dataclass(frozen=True)
class Line:
    """One field. `name`: a tag, a column, a path. `mark`: indicators. `blamed`: it is why the record was set aside. `depth`: of nesting."""

    name: str
    parts: tuple[Part, ...]
    mark: str = ""
    blamed: bool = False
    depth: int = 0


@dataclass(frozen=True)
class Broken:
    """Where the reading of the bytes broke. `reason` is a code of the reason table or a fault of this package; `place` counts bytes."""

    reason: str
    place: int | None = None


@dataclass(frozen=True)
class Shown:
    """A record for people. `more`: lines that are not shown. `masked`: whether anything was."""

    form: str
    lines: tuple[Line, ...]
    broken: tuple[Broken, ...] = ()
    more: int = 0

    @property
    def masked(self) -> bool:
        return any(part.masked for line in self.lines for part in line.parts)


def bounded(form: str, lines: list[Line], broken: tuple[Broken, ...] = ()) -> Shown:
    """The lines as a Shown, no more of them than a page takes."""
    return Shown(form, tuple(lines[:MOST_LINES]), broken, max(0, len(lines) - MOST_LINES))
