"""The lake for whoever makes something of all of it: tables at the versions of one manifest, a partner at a time, as streams of batches.

`inputs` names the tables and the columns that are read, and no others: so a reader shows in one place what it never sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from include.engine.lake.read import batches, dataset, newest, pinned
from include.engine.lake.table import Lake, open_table

Inputs = Mapping[str, pa.Schema]


class Source(Protocol):
    """The lake as one reader sees it. Every call of one object answers from the same versions."""

    def versions(self) -> Mapping[str, int]:
        """Version by lake table; a table that nobody has published to yet is absent."""
        ...

    def partners(self) -> list[str]:
        """Every partner with a row in any of the tables, sorted."""
        ...

    def stream(self, table: str, partner: str) -> pa.RecordBatchReader:
        """The rows of one partner in the columns of `inputs[table]`; an absent table gives no rows."""
        ...


@dataclass(frozen=True)
class LakeSource:
    """The lake itself, at `at`: lake table -> version. Make one with `pinned_source`."""

    lake: Lake
    inputs: Inputs
    at: Mapping[str, int]

    def versions(self) -> Mapping[str, int]:
        return self.at

    def partners(self) -> list[str]:
        folders = [folder for table, version in self.at.items() for folder in open_table(self.lake, table, version).partitions()]
        return sorted({folder["partner"] for folder in folders})

    def stream(self, table: str, partner: str) -> pa.RecordBatchReader:
        wanted = self.inputs[table]
        if table not in self.at:
            return fitted(wanted.empty_table().to_reader(), wanted)
        version = self.at[table]
        have = set(dataset(self.lake, table, version=version).schema.names)
        columns = [name for name in wanted.names if name in have]
        return fitted(batches(self.lake, table, partner=partner, columns=columns, version=version), wanted)


def pinned_source(lake: Lake, inputs: Inputs) -> LakeSource:
    """The tables of `inputs` at the versions of the ledger's latest manifest; without a ledger, at their newest."""
    found = {table: newest(lake, table) for table in inputs} if lake.ledger is None else pinned(lake)
    return LakeSource(lake, inputs, {table: version for table, version in found.items() if table in inputs and version is not None})


@dataclass(frozen=True)
class ArrowSource:
    """Lake tables held in memory: for tests, and for trying something on a handful of rows. Each table has a `partner` column."""

    inputs: Inputs
    tables: Mapping[str, pa.Table]
    at: Mapping[str, int]

    def versions(self) -> Mapping[str, int]:
        return self.at

    def partners(self) -> list[str]:
        return sorted({partner for table in self.tables.values() for partner in pc.unique(table["partner"]).to_pylist()})

    def stream(self, table: str, partner: str) -> pa.RecordBatchReader:
        wanted = self.inputs[table]
        if table not in self.tables:
            return fitted(wanted.empty_table().to_reader(), wanted)
        rows = self.tables[table]
        return fitted(rows.filter(pc.equal(rows["partner"], partner)).to_reader(), wanted)


def fitted(reader: pa.RecordBatchReader, wanted: pa.Schema) -> pa.RecordBatchReader:
    """The same rows in exactly the columns and types of `wanted`; a column that the table does not have yet is null."""
    have = set(reader.schema.names)

    def fit(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [
            batch.column(field.name).cast(field.type) if field.name in have else pa.nulls(batch.num_rows, field.type) for field in wanted
        ]
        return pa.RecordBatch.from_arrays(columns, schema=wanted)

    return pa.RecordBatchReader.from_batches(wanted, (fit(batch) for batch in reader))
