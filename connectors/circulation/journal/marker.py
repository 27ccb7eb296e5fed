"""How far the journal has been taken over: a small file beside it, written by who reads it, read by who keeps it.

    taken.json   {"journal": "<id>", "until": 1203, "segment": "0000000000000900-0000.journal", "size": 48213}

Everything up to `until` is in the lake, acknowledged. `segment` and `size` are what the journal ended with when nothing else was in it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from connectors.circulation.journal.segment import segments

NAME = "taken.json"


def end(folder: Path) -> tuple[str, int]:
    """The newest segment's name and its size in bytes."""
    found = segments(folder)
    return (found[-1].name, found[-1].stat().st_size) if found else ("", 0)


def mark(folder: Path, journal: str, until: int, at_end: tuple[str, int] | None) -> None:
    """Write down that everything up to `until` is taken over; `at_end` where that was all."""
    segment, size = at_end or ("", -1)
    part = folder / f".{NAME}.{os.getpid()}"
    part.write_text(json.dumps({"journal": journal, "until": until, "segment": segment, "size": size}))
    part.replace(folder / NAME)


def taken(folder: Path, journal: str) -> int:
    """Up to which entry the journal is taken over; 0 where nobody has said."""
    found = _read(folder)
    return int(found["until"]) if found.get("journal") == journal else 0


def nothing_new(folder: Path) -> bool:
    """Whether the journal ends where it ended when all of it was taken over; also of a journal that is not there."""
    found, now = _read(folder), end(folder)
    return now == ("", 0) or now == (found.get("segment"), found.get("size"))


def _read(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / NAME).read_text())
    except (OSError, ValueError):
        return {}
    return found
