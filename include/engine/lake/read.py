"""Reading the lake: whole tables, one partner's rows, or keys, at one version that does not move while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from include.engine.lake.table import KEY, PARTITION, Lake, exists, open_table, store_of

Version = int | Literal["newest"] | None
"""A table version; "newest"; or None: the one that readers get by the ledger (`manifests.latest`), the newest where there is no ledger. A
table of which nothing is to be seen yet is as it was made: without a row."""


AS_MADE = 0
"""A table's first version, which has no row."""


def pinned(lake: Lake) -> dict[str, int]:
    """The versions that readers get, by table; empty without a ledger. A table of which nothing is to be seen yet is left out."""
    if lake.ledger is None:
        return {}
    from include.engine.ledger import manifests

    return dict(manifests.latest(lake.ledger))


def newest(lake: Lake, table: str) -> int | None:
    """The table's newest version, None when there is no such table."""
    return int(open_table(lake, table).version()) if exists(lake, table) else None


def at_version(lake: Lake, table: str, version: Version = None) -> DeltaTable:
    """A handle on the table at `version`. Raises WrongState LAKE_TABLE_MISSING, LAKE_HISTORY_GONE."""
    if version is None and lake.ledger is not None:
        version = pinned(lake).get(table, AS_MADE)
    return open_table(lake, table, version if isinstance(version, int) else None)


def dataset(lake: Lake, table: str, *, version: Version = None) -> ds.Dataset:
    """The table as a pyarrow dataset, columns in the table's order; a filter on `partner` opens that partner's files only."""
    return at_version(lake, table, version).to_pyarrow_dataset(filesystem=store_of(lake, table).files)


def read(
    lake: Lake,
    table: str,
    *,
    partner: str | None = None,
    columns: Sequence[str] | None = None,
    version: Version = None,
    where: ds.Expression | None = None,
) -> pa.Table:
    """Rows of the table, in no order that means anything: one partner's, or all; `where` is a pyarrow expression on any column."""
    return scanner(lake, table, partner=partner, columns=columns, version=version, where=where).to_table()


def batches(
    lake: Lake,
    table: str,
    *,
    partner: str | None = None,
    columns: Sequence[str] | None = None,
    version: Version = None,
    where: ds.Expression | None = None,
) -> pa.RecordBatchReader:
    """The same as `read`, in a stream: memory stays that of a few row groups."""
    return scanner(lake, table, partner=partner, columns=columns, version=version, where=where).to_reader()


def scanner(
    lake: Lake, table: str, *, partner: str | None, columns: Sequence[str] | None, version: Version, where: ds.Expression | None
) -> ds.Scanner:
    """A scan of the table, of at most a few row groups ahead."""
    rows = dataset(lake, table, version=version)
    mine = None if partner is None else ds.field(PARTITION) == partner
    chosen = where if mine is None else mine if where is None else mine & where
    named = None if columns is None else list(columns)
    return rows.scanner(columns=named, filter=chosen, batch_readahead=4, fragment_readahead=2, use_threads=True)


def keys(lake: Lake, table: str, partner: str, *, version: Version = None) -> pa.Table:
    """The partner's keys: the table's key columns, in key order."""
    handle = at_version(lake, table, version)
    named = handle.metadata().configuration[KEY].split(",")
    return read(lake, table, partner=partner, columns=named, version=int(handle.version()))
