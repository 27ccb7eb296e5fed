"""Data files of one partition: written in a stream, read back, and found in the table's log."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from include.engine.ahead import Behind
from include.engine.lake.store import TableStore
from include.engine.lake.table import PARTITION
from include.engine.memory import give_back

FILE_ROWS = 1_000_000
GROUP_ROWS = 131_072
_GROUP_BYTES = 64 << 20


@dataclass(frozen=True)
class DataFile:
    """A data file of the table: path relative to it, the partner whose rows it holds, size in bytes, rows."""

    path: str
    partner: str
    size: int
    rows: int

    def added(self, data_change: bool) -> AddAction:
        """The file as the log adds it. Its statistics are the row count alone: the smallest and largest values would be somebody's."""
        counted = json.dumps({"numRecords": self.rows})
        return AddAction(self.path, self.size, {PARTITION: self.partner}, int(time.time() * 1000), data_change, counted)

    def removed(self, data_change: bool) -> RemoveAction:
        """The file as the log removes it; its bytes stay until vacuum."""
        return RemoveAction(self.path, data_change, int(time.time() * 1000), self.size, {PARTITION: self.partner})


def files_of(handle: DeltaTable, partner: str | None = None) -> list[DataFile]:
    """The data files of the handle's version, of one partner or of all, in a fixed order."""
    actions = pa.table(handle.get_add_actions(flatten=True))
    columns = [actions[name].to_pylist() for name in ("path", f"partition.{PARTITION}", "size_bytes", "num_records")]
    found = [DataFile(*values) for values in zip(*columns, strict=True)]
    return sorted((file for file in found if partner in (None, file.partner)), key=lambda file: file.path)


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """`batch` with the columns of `schema`, in its order and types; columns it lacks are null, others are left out."""
    there = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type) if field.name in there else pa.nulls(batch.num_rows, field.type) for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def batches(store: TableStore, file: DataFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The file's rows as `schema`; columns that are newer than the file are null. Raises FileNotFoundError."""
    with store.open_input(file.path) as stream:
        reader = pq.ParquetFile(stream)
        there = [name for name in schema.names if name in reader.schema_arrow.names]
        for batch in reader.iter_batches(batch_size=GROUP_ROWS, columns=there):
            yield fitted(batch, schema)


def rows_of(store: TableStore, files: Sequence[DataFile], schema: pa.Schema) -> pa.Table:
    """`schema`'s columns of all rows of `files`, in their order."""
    return pa.Table.from_batches([batch for file in files for batch in batches(store, file, schema)], schema=schema)


def kept(store: TableStore, file: DataFile, schema: pa.Schema, drop: npt.NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
    """The file's rows but those that `drop` (one flag a row) marks."""
    start = 0
    for batch in batches(store, file, schema):
        stay = ~drop[start : start + batch.num_rows]
        start += batch.num_rows
        if stay.any():
            yield batch if stay.all() else batch.filter(pa.array(stay))


class PartitionWriter:
    """New data files of one partner, at most FILE_ROWS rows each. They count for nothing until a commit names them.

    Rows are encoded in a thread of their own: an error there is raised by a later call.
    """

    def __init__(self, store: TableStore, schema: pa.Schema, partner: str, keys: Sequence[str] = ()) -> None:
        self.store, self.schema, self.partner = store, schema, partner
        # Dictionaries pay for all but the columns in which no two rows are alike.
        unlike = {"_row_hash", "_record"} | ({keys[0]} if len(keys) == 1 else set())
        self._dictionary = [name for name in schema.names if name not in unlike]
        self._name = uuid.uuid4().hex
        self._files: list[DataFile] = []
        self._stream: pa.NativeFile | None = None
        self._path, self._rows, self._held = "", 0, 0
        self._waiting: list[pa.RecordBatch] = []
        self._writer: pq.ParquetWriter | None = None
        self._behind = Behind()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; small batches are gathered into one row group."""
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, min(GROUP_ROWS, FILE_ROWS - self._rows - self._held))
            start += part.num_rows
            self._waiting.append(part)
            self._held += part.num_rows
            big = sum(waiting.nbytes for waiting in self._waiting) >= _GROUP_BYTES
            full = self._rows + self._held >= FILE_ROWS
            if self._held >= GROUP_ROWS or big or full:
                self._flush()
            if full:
                self._finish()

    def close(self) -> list[DataFile]:
        """Finish; the files that were written, durable on a local disk."""
        self._flush()
        self._finish()
        self._behind.end()
        return self._files

    @property
    def paths(self) -> list[str]:
        """Paths of the files that are finished."""
        return [file.path for file in self._files]

    def discard(self) -> None:
        """Delete what was written: nothing names it. What cannot be deleted now is left to vacuum."""
        self._behind.end()
        with contextlib.suppress(Exception):
            self._finish()
        for file in self._files:
            with contextlib.suppress(OSError):
                self.store.delete(file.path)

    def _flush(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._path = f"{PARTITION}={self.partner}/{self._name}-{len(self._files)}.parquet"
            self._stream = self.store.open_output(self._path)
            self._writer = pq.ParquetWriter(
                self._stream, self.schema, compression="zstd", compression_level=1, use_dictionary=self._dictionary
            )
        rows = pa.Table.from_batches(self._waiting, schema=self.schema)
        self._behind.do(self._writer.write_table, rows, GROUP_ROWS)
        self._rows += self._held
        self._waiting, self._held = [], 0
        give_back()

    def _finish(self) -> None:
        if self._writer is None or self._stream is None:
            return
        self._behind.wait()
        self._writer.close()
        self._stream.close()
        self._writer = self._stream = None
        self.store.sync(self._path)
        size = self.store.size(self._path)
        self._files.append(DataFile(self._path, self.partner, size or 0, self._rows))
        self._rows = 0
