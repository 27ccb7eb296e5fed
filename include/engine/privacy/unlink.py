"""Changing rows of the lake for privacy's sake: a loan loses its patron, and stays a loan.

Such a change is nobody's delivery: the row keeps its `_delivery`, so that a delivery can still be retracted, and gets the hash of its content.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from include.engine.lake.commit import Change, transact
from include.engine.lake.files import DataFile, PartitionWriter, batches, files_of
from include.engine.lake.rows import row_hash
from include.engine.lake.store import TableStore
from include.engine.lake.table import Lake, hashed_columns, open_table, store_of

Flags = npt.NDArray[np.bool_]
Which = Callable[[pa.RecordBatch], Flags]

LINK = ("patron", "key_id", "patron_is_alias")


@dataclass(frozen=True)
class Amended:
    """Rows that were changed, and the table's versions around it (equal when there was nothing to do)."""

    version_before: int
    version_after: int
    rows: int


def amend(
    lake: Lake,
    table: str,
    partner: str,
    columns: Sequence[str],
    which: Which,
    change: Callable[[pa.RecordBatch, Flags], pa.RecordBatch],
    *,
    why: str,
) -> Amended:
    """Change the partner's rows that `which` flags, seeing `columns` of them, in one commit; files without such a row are left alone.

    `why` is a word for the table's log. Raises Unreachable LAKE_BUSY.
    """
    handle, store = open_table(lake, table), store_of(lake, table)
    narrow = _schema(handle, columns)
    if not any(_flags(store, file, narrow, which).any() for file in files_of(handle, partner)):
        return Amended(int(handle.version()), int(handle.version()), 0)

    def prepare(handle: DeltaTable, store: TableStore, writer: PartitionWriter) -> Change:
        hashed, removed, rows = hashed_columns(pa.schema(handle.schema().to_arrow())), [], 0
        for file in files_of(handle, partner):
            flags = _flags(store, file, narrow, which)
            if not flags.any():
                continue
            removed.append(file)
            rows += int(flags.sum())
            start = 0
            for batch in batches(store, file, writer.schema):
                part = flags[start : start + batch.num_rows]
                start += batch.num_rows
                writer.write(_rehashed(change(batch, part), hashed) if part.any() else batch)
        return Change(removed, {"kind": why, "rows": rows})

    commit, _ = transact(lake, table, partner, f"{why}:{uuid.uuid4().hex}", prepare, lambda: None)
    return Amended(commit.version - 1, commit.version, int(commit.facts["rows"]))


def without_patron(batch: pa.RecordBatch, flags: Flags) -> pa.RecordBatch:
    """`batch` with no patron in the flagged rows (columns of LINK, as far as it has them)."""
    keep = pa.array(~flags)
    for name in LINK:
        place = batch.schema.get_field_index(name)
        if place >= 0:
            field = batch.schema.field(place)
            blank = pa.scalar(False) if pa.types.is_boolean(field.type) else pa.scalar(None, field.type)
            batch = batch.set_column(place, field, pc.if_else(keep, batch.column(place), blank))
    return batch


def _schema(handle: DeltaTable, columns: Sequence[str]) -> pa.Schema:
    schema = pa.schema(handle.schema().to_arrow())
    return pa.schema([schema.field(name) for name in columns])


def _flags(store: TableStore, file: DataFile, narrow: pa.Schema, which: Which) -> Flags:
    return np.concatenate([np.zeros(0, bool), *(which(batch) for batch in batches(store, file, narrow))])


def _rehashed(batch: pa.RecordBatch, hashed: list[str]) -> pa.RecordBatch:
    place = batch.schema.get_field_index("_row_hash")
    return batch.set_column(place, batch.schema.field(place), row_hash(batch, hashed))
