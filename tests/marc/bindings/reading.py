"""Fixtures in line format into batches: each file is one record, named for what it shows."""

from __future__ import annotations

import re
from pathlib import Path

from include.marc.batch import Batch, Tags
from include.marc.build import Found, build
from include.marc.record import Field, Record

FIXTURES = Path(__file__).parent / "fixtures"


def record(name: str) -> Record:
    """One fixture. `$` (or `*`) and a letter begin a subfield, blanks around values are taken off."""
    lines = (FIXTURES / f"{name}.line").read_text(encoding="utf-8").splitlines()
    found = Record(lines[0][4:].ljust(24))
    for line in lines[1:]:
        tag, rest = line[:3], line[4:]
        if not re.match(r"..\s*[$*]", rest):
            found.fields.append(Field(tag, data=rest))
            continue
        parts = re.split(r"(?:^|\s)[$*](\S) ", rest[2:])[1:]
        found.fields.append(Field(tag, indicators=rest[:2], subfields=list(zip(parts[::2], parts[1::2], strict=True))))
    return found


def batch(*names: str) -> Batch:
    """The fixtures as one batch."""
    return build([Found(record(name), number) for number, name in enumerate(names, start=1)], Tags())
