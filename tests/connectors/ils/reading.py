"""Small deliveries for the tests of the reader: bytes in, pieces out."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from connectors.ils.library import Library
from connectors.ils.profile import Profile, build, load
from connectors.ils.read import read
from include.engine.storage.archive import Member

DENMARK = Library("DK-799001", "Europe/Copenhagen")
HEADER = b"issue_id,borrowernumber,itemnumber,issuedate,date_due,returndate,renewals_count,branchcode\n"


@dataclass(frozen=True)
class Bytes:
    """A source of members that are in memory."""

    files: dict[str, bytes]
    name: str = "delivery"

    def members(self) -> Iterator[Member]:
        for name, content in self.files.items():
            yield Member(name, io.BytesIO(content))


@dataclass(frozen=True)
class Spec:
    table: str
    loans: str | None = None


@dataclass
class Result:
    """All pieces put together."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    aside: list[dict[str, Any]] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    records: int = 0

    @property
    def reasons(self) -> list[str]:
        return [row["reason"] for row in self.aside]


def read_all(
    content: bytes | dict[str, bytes], table: str, profile: Profile | str, loans: str | None = None, library: Library = DENMARK
) -> Result:
    """Read a delivery whole; checks on the way that the bytes of what is set aside are the source's own."""
    files = {"": content} if isinstance(content, bytes) else content
    profile = load(profile) if isinstance(profile, str) else profile
    result = Result()
    for part in read(Bytes(files), Spec(table, loans), profile, library):
        assert isinstance(part.rows, pa.RecordBatch)
        part.rows.validate(full=True)
        result.rows.setdefault(part.table, []).extend(part.rows.to_pylist())
        result.aside += part.set_aside.to_pylist()
        result.warnings.update(part.warnings)
        result.filtered.update(part.filtered)
        if part.table == table:  # what is inside a record is no record of its own
            result.records += part.rows.num_rows + part.set_aside.num_rows + sum(part.filtered.values())
    for row in result.aside:
        raw = files[row["member"]][row["offset"] : row["offset"] + row["length"]]
        assert row["raw"] == raw, "the original bytes are kept, and the offset leads to them"
    return result


def loans(content: bytes, profile: Profile | str = "koha", declared: str = "history") -> Result:
    return read_all(content, "loan", profile, declared)


def plain(table: str = "loan", **settings: Any) -> Profile:
    """A profile of one table whose columns are called as ours."""
    base = {"format": "csv", "columns": {name: name for name in settings.pop("columns", ["loan_id", "loaned_on", "item_id"])}}
    return build({"name": "plain", "title": "plain", "about": "for tests", "tables": {table: base | settings}}, "plain.yaml")
