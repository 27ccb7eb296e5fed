"""Small ISO 2709 records for the tests, written byte by byte, so that each can be damaged in its own way; and how batches are looked at."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from include.marc.batch import Batch
from include.marc.build import one_by_one
from include.marc.iso2709 import scan
from include.marc.record import Record

Field = tuple[str, bytes]
TITLE = "Æbler og pærer"
BOOK: list[Field] = [
    ("008", b"260101s2026    dk            000 0 dan  "),
    ("020", b"  \x1fa9788700000002"),
    ("100", b"1 \x1faVang, Ib,\x1f4aut"),
    ("245", b"10\x1fa" + TITLE.encode() + b" /\x1fcIb Vang"),
    ("650", b" 7\x1faFrugt"),
]


def iso(number: str, fields: list[Field] | None = None, *, coding: str = "a", leader: str = "nam") -> bytes:
    """One record: 001 and `fields`. Numbers that do not fit wrap around. `coding` is leader/09."""
    directory, data = b"", b""
    for tag, value in [("001", number.encode()), *(BOOK if fields is None else fields)]:
        directory += tag.encode("latin-1") + b"%04d%05d" % ((len(value) + 1) % 10_000, len(data) % 100_000)
        data += value + b"\x1e"
    base = 25 + len(directory)
    return f"{(base + len(data) + 1) % 100_000:05}{leader} {coding}22{base:05} a 4500".encode() + directory + b"\x1e" + data + b"\x1d"


@dataclass
class Everything:
    """What a file holds, over all batches."""

    batches: list[Batch] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    numbers: list[str | None] = field(default_factory=list)
    outcomes: list[int] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    aside: list[dict[str, Any]] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        return Counter(issue["reason"] for issue in self.issues)

    @property
    def refusals(self) -> Counter[str]:
        return Counter(one["reason"] for one in self.aside)


def everything(content: bytes, **choices: Any) -> Everything:
    """Read it all."""
    found = Everything()
    for batch in scan(io.BytesIO(content), **choices):
        found.batches.append(batch)
        found.records += one_by_one(batch)
        found.numbers += batch.control_numbers.to_pylist()
        found.outcomes += batch.outcome.tolist()
        found.issues += batch.issues.to_pylist()
        found.aside += batch.aside.to_pylist()
    return found
