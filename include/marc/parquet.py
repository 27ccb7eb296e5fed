"""Batches into one Parquet file, encoded in a second thread while the next batch is read.

Row groups are of about half a million rows, however small the batches. The file appears under its name when it is whole, never before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.engine.ahead import Behind
from include.marc.batch import Batch, Tags
from include.marc.build import build
from include.marc.mapping import ColumnMapping, parse

ROW_GROUP = 1 << 19
#: zstd at its first level: half the size of LZ4 for a tenth more time (docs/marc.md). Rows are encoded 65,536 at a time: an eighth faster than 1,024.
COMPRESSION: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "store_schema": False, "write_batch_size": 1 << 16}
#: For each column of the long table how it is written: what repeats as numbers into a dictionary, counters as differences, values as they are.
LONG: dict[str, Any] = {
    "use_dictionary": ["control_number", "tag", "ind1", "ind2", "code"],
    "write_statistics": ["record", "control_number"],  # every group has every tag
    "column_encoding": {"record": "DELTA_BINARY_PACKED", "seq": "DELTA_BINARY_PACKED", "value": "PLAIN"},
}


@dataclass(frozen=True)
class Written:
    """What a file holds."""

    records: int
    rows: int


class _Groups:
    """Gathers tables, and writes them as row groups behind its caller's back."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path, self._settings = path, settings
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._behind = Behind()

    def add(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, **self._settings)
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= ROW_GROUP:
            self._write()

    def _write(self) -> None:
        if self._waiting and self._writer is not None:
            # One dictionary a column: Parquet's writer gives up on dictionaries that change inside a row group.
            group = pa.concat_tables(self._waiting).unify_dictionaries()
            self._waiting, self._rows = [], 0
            self._behind.do(self._writer.write_table, group, max(group.num_rows, 1))

    def close(self) -> None:
        """Until all is written; raises what went wrong."""
        self._write()
        self._behind.wait()
        if self._writer is not None:
            self._writer.close()

    def end(self) -> None:
        """Stop, whether all is written or not."""
        self._behind.end()


@contextmanager
def row_groups(path: Path, settings: Mapping[str, Any] | None = None) -> Iterator[_Groups]:
    """Where tables of one schema can be added; the file gets its name on leaving without an error."""
    part = path.with_name(f".{path.name}.part")
    groups = _Groups(part, {**COMPRESSION, **(settings or {})})
    try:
        yield groups
        groups.close()
        part.replace(path)
    finally:
        groups.end()
        part.unlink(missing_ok=True)


def write_long(batches: Iterable[Batch], path: Path) -> Written:
    """Every row of every record: the table of include.marc.long."""
    records = rows = 0
    with row_groups(path, LONG) as groups:
        for batch in _or_none(batches):
            groups.add(batch.long())
            records, rows = records + len(batch), rows + batch.rows
    return Written(records, rows)


def write_wide(batches: Iterable[Batch], path: Path, spec: ColumnMapping | Mapping[str, str | Sequence[str]]) -> Written:
    """A row for each record, by sentences: the table of include.marc.wide."""
    mapping = spec if isinstance(spec, ColumnMapping) else parse("the spec", spec)
    records = 0
    with row_groups(path) as groups:
        for batch in _or_none(batches):
            groups.add(batch.wide(mapping))
            records += len(batch)
    return Written(records, records)


def _or_none(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches; of a file without any, one without records, so that the table has its columns."""
    empty = True
    for batch in batches:
        empty = False
        yield batch
    if empty:
        yield build([], Tags())
