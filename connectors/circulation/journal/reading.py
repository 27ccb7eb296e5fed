"""Reading the journal: in order, from any number on, while it is being written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from connectors.circulation.journal.segment import frames, segments
from include.engine.crypto.keys import KeyStore
from include.engine.errors import Tampered

IDENTITY = "identity"
"""A file beside the segments with a random name for the journal."""


class Entry(NamedTuple):
    """One entry: its number, counted from 1 without a gap, and what was written."""

    number: int
    data: dict[str, Any]


def read(folder: Path, keys: KeyStore, *, after: int = 0) -> Iterator[Entry]:
    """Every durable entry with a number above `after`, each once, in order. Tampered when one between is missing."""
    found = segments(folder)
    expected = after + 1
    for index, path in enumerate(found):
        if index + 1 < len(found) and _first(found[index + 1]) <= expected:
            continue
        for entry in _entries(path, keys):
            if entry.number < expected:
                continue
            if entry.number != expected:
                raise Tampered(
                    f"the journal has no entry {expected:,}: the next in {path.name} is {entry.number:,}",
                    do="Restore the missing file from a copy before anything is applied.",
                )
            expected += 1
            yield entry


def last(folder: Path, keys: KeyStore) -> int:
    """The number of the last durable entry, 0 when there is none."""
    for path in reversed(segments(folder)):
        numbers = [entry.number for entry in _entries(path, keys)]
        if numbers:
            return numbers[-1]
    found = segments(folder)  # none has a whole frame; what was before them was retired
    return _first(found[-1]) - 1 if found else 0


def before(folder: Path) -> int:
    """The number of the last entry that is not kept any more (retiring.py), 0 when the journal is all there."""
    found = segments(folder)
    return _first(found[0]) - 1 if found else 0


def identity(folder: Path) -> str:
    """Which journal this is: a new one in the same folder counts from 1 again. '' where there is none yet."""
    try:
        return (folder / IDENTITY).read_text()
    except FileNotFoundError:
        return ""


def _entries(path: Path, keys: KeyStore) -> Iterator[Entry]:
    for frame in frames(path, keys):
        for line in frame.splitlines():
            number, data = json.loads(line)
            yield Entry(number, data)


def _first(path: Path) -> int:
    return int(path.name.partition("-")[0])
