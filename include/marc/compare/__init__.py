"""Two exports of one catalogue compared: what came, what went, what changed, and in which fields.

Records are matched by agency and control number. First the bytes of each are digested, file by file, two files at a time: nearly all records
of two exports are the same byte for byte. Only those that are not are read again and looked into; so a record that was merely written
anew (another character set, another order in its directory) is not changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from include.marc.batch import Family, Tags
from include.marc.compare.differences import differing
from include.marc.compare.export import Export
from include.marc.compare.pairs import pair
from include.marc.compare.rows import Rows, Shelf, in_order
from include.marc.progress import Tell, Together, nobody

#: Bytes of an export for each part of its rows, and so many parts at most. Of records of a kilobyte a part has some ten thousand; of the smallest, 200,000.
PART, MOST_PARTS = 16 << 20, 1_000
#: Pairs of records that are looked into at a time.
PAIRS = 1_000
#: Stands for the fields of a record that can be read among its neighbours only.
UNREADABLE = "???"
#: Added or deleted records, and where they are in their file.
ONE_SIDED: pa.Schema = pa.schema(
    [
        pa.field("agency", pa.string(), nullable=False),
        pa.field("control_number", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
    ]
)
#: Changed records, and the tags of the fields that changed.
CHANGED: pa.Schema = pa.schema(
    [
        pa.field("agency", pa.string(), nullable=False),
        pa.field("control_number", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),  # in the new file
        pa.field("old_record", pa.int64(), nullable=False),
        pa.field("fields", pa.list_(pa.string()), nullable=False),
    ]
)


@dataclass(frozen=True)
class Comparison:
    """Tables `added` (of the new file) and `deleted` (of the old one), schema ONE_SIDED; `changed`, schema CHANGED; how many are `unchanged`.

    `rewritten` of those unchanged have other bytes. `twice`: records whose key an earlier one of their file had. `aside_old`, `aside_new`:
    records that could not be read, and are in no table.
    """

    added: pa.Table
    deleted: pa.Table
    changed: pa.Table
    unchanged: int
    rewritten: int
    twice: int
    aside_old: int
    aside_new: int


def compare(
    old: Path, new: Path, *, family: Family = "marc21", charset: str = "declared", ignored: Collection[str] = (), tell: Tell = nobody
) -> Comparison:
    """Compare two files of MARC (ISO 2709 or XML, bare or packed). `ignored`: tags whose changes are none, such as 005. `tell`: how far it is.

    Where one side is XML, all of each record is compared, not its bytes. Memory grows with what differs, not with the files: of each record some
    sixty bytes lie in a temporary folder, in parts. Raises OSError and Refused for files that cannot be read.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bindery-compare-")))
        one, other = (Export(path, family, charset, _made(folder / side)) for side, path in (("old", old), ("new", new)))
        parts = min(1 + max(one.size, other.size) // PART, MOST_PARTS)
        ours, theirs = (stack.enter_context(closing(Shelf(_made(folder / side), parts))) for side in ("old-rows", "new-rows"))
        by_content = one.is_xml or other.is_xml
        pool = stack.enter_context(ThreadPoolExecutor(2, "compare"))
        progress = Together(one.size + other.size, tell)
        aside = list(pool.map(lambda export, shelf: export.onto(shelf, by_content, progress), (one, other), (ours, theirs)))
        compared = _Parts(one, other, ours, theirs, frozenset(ignored))
        found = list(pool.map(compared.part, range(parts)))
        added, deleted, before, after = (
            np.concatenate([getattr(part, name) for part in found]) for name in ("added", "deleted", "old", "new")
        )
        order = in_order(after)
        tags = pa.concat_arrays([part.tags for part in found]).take(pa.array(order))
        changed = {**_who(theirs, after[order]), "old_record": pa.array(before["number"][order], pa.int64()), "fields": tags}
        rewritten = sum(part.rewritten for part in found)
        return Comparison(
            added=_table(_one_sided(theirs, added), ONE_SIDED),
            deleted=_table(_one_sided(ours, deleted), ONE_SIDED),
            changed=_table(changed, CHANGED),
            unchanged=sum(part.same for part in found) + rewritten,
            rewritten=rewritten,
            twice=sum(part.twice for part in found),
            aside_old=aside[0],
            aside_new=aside[1],
        )


@dataclass(frozen=True)
class _Part:
    """What differs in one part: rows `added`, `deleted`, and, changed from `old` to `new`, the `tags` of each pair."""

    same: int
    rewritten: int
    twice: int
    added: Rows
    deleted: Rows
    old: Rows
    new: Rows
    tags: pa.ListArray


@dataclass(frozen=True)
class _Parts:
    """The two sides, part by part."""

    one: Export
    other: Export
    ours: Shelf
    theirs: Shelf
    ignored: frozenset[str]

    def part(self, number: int) -> _Part:
        """Pair the records of one part, and look into those whose bytes differ."""
        found = pair(self.ours.rows(number), self.theirs.rows(number))
        tags = [one for at in range(0, len(found.old), PAIRS) for one in self._tags(found.old[at : at + PAIRS], found.new[at : at + PAIRS])]
        real = np.array([bool(some) for some in tags], np.bool_)
        differing = pa.array([some for some in tags if some], CHANGED.field("fields").type)
        rewritten = len(real) - int(real.sum())
        return _Part(found.same, rewritten, found.twice, found.added, found.deleted, found.old[real], found.new[real], differing)

    def _tags(self, before: Rows, after: Rows) -> Sequence[list[str]]:
        """For each pair of records the tags that changed."""
        names = Tags()
        old, old_lost = self.one.fields(before, names)
        new, new_lost = self.other.fields(after, names)
        tags = differing(old, new, names, len(old_lost), self.ignored)
        for place in np.flatnonzero(old_lost | new_lost).tolist():
            tags[place] = [] if old_lost[place] and new_lost[place] else [UNREADABLE]
        return tags


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _who(shelf: Shelf, rows: Rows) -> dict[str, pa.Array]:
    """Agency, control number and record number."""
    words = shelf.words(rows)
    return {
        "agency": pa.array([agency for agency, _ in words], pa.string()),
        "control_number": pa.array([number for _, number in words], pa.string()),
        "record": pa.array(rows["number"], pa.int64()),
    }


def _one_sided(shelf: Shelf, rows: Rows) -> dict[str, pa.Array]:
    """The same, in the order of their file, and where they are in it."""
    rows = rows[in_order(rows)]
    return _who(shelf, rows) | {"offset": pa.array(rows["offset"])}


def _table(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
