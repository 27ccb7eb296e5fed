"""Two exports of one catalogue compared: what came, what went, what changed, and in which fields.

Records are matched by agency and control number. First the bytes of each are digested, file by file, two files at a time: nearly all records
of two exports are the same byte for byte. Only those that are not are read again and looked into; so a record that was merely written
anew (another character set, another order in its directory) is not changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from include.marc.batch import Family, Ints, Tags
from include.marc.compare.differences import differing
from include.marc.compare.export import Export
from include.marc.compare.index import BETWEEN, Index
from include.marc.compare.pairs import pair

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


def compare(old: Path, new: Path, *, family: Family = "marc21", charset: str = "declared", ignored: Collection[str] = ()) -> Comparison:
    """Compare two files of MARC (ISO 2709 or XML, bare or packed). `ignored`: tags whose changes are none, such as 005.

    Where one side is XML, all of each record is compared, not its bytes. Memory grows by some fifty bytes a record, not with the size of the
    files. Raises OSError and Refused for files that cannot be read.
    """
    with TemporaryDirectory(prefix="bindery-compare-") as folder:
        for side in ("old", "new"):
            (Path(folder) / side).mkdir()
        one = Export(old, family, charset, Path(folder) / "old")
        other = Export(new, family, charset, Path(folder) / "new")
        by_content = one.is_xml or other.is_xml
        with ThreadPoolExecutor(2, "compare") as pool:
            ours, theirs = pool.map(lambda export: export.index(by_content), (one, other))
        found = pair(ours, theirs)
        suspects = np.flatnonzero(~found.same)
        before, after = found.old[suspects], found.new[suspects]
        fields = list(_fields(one, other, ours, theirs, before, after, frozenset(ignored)))
    real = np.array([bool(tags) for tags in fields], np.bool_)
    rewritten = int((~real).sum())
    changed = {
        **_who(theirs, after[real]),
        "old_record": pa.array(ours.number[before[real]], pa.int64()),
        "fields": pa.array([tags for tags in fields if tags], pa.list_(pa.string())),
    }
    return Comparison(
        added=_table(_who(theirs, found.added) | {"offset": pa.array(theirs.offset[found.added])}, ONE_SIDED),
        deleted=_table(_who(ours, found.deleted) | {"offset": pa.array(ours.offset[found.deleted])}, ONE_SIDED),
        changed=_table(changed, CHANGED),
        unchanged=int(found.same.sum()) + rewritten,
        rewritten=rewritten,
        twice=found.twice,
        aside_old=ours.aside,
        aside_new=theirs.aside,
    )


def _fields(
    one: Export, other: Export, ours: Index, theirs: Index, before: Ints, after: Ints, ignored: frozenset[str]
) -> Iterator[list[str]]:
    """For each pair of records the tags that changed; some thousand pairs are read at a time."""
    for start in range(0, len(before), PAIRS):
        part, names = slice(start, start + PAIRS), Tags()
        old, old_lost = one.fields(ours, before[part], names)
        new, new_lost = other.fields(theirs, after[part], names)
        tags = differing(old, new, names, len(old_lost), ignored)
        for place in np.flatnonzero(old_lost | new_lost).tolist():
            tags[place] = [] if old_lost[place] and new_lost[place] else [UNREADABLE]
        yield from tags


def _who(found: Index, places: Ints) -> dict[str, pa.Array]:
    """Agency, control number and record number."""
    texts = found.text.take(pa.array(places)).to_pylist()
    parts = [text.partition(BETWEEN) for text in texts]
    return {
        "agency": pa.array([agency for agency, _, _ in parts], pa.string()),
        "control_number": pa.array([number for _, _, number in parts], pa.string()),
        "record": pa.array(found.number[places], pa.int64()),
    }


def _table(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
