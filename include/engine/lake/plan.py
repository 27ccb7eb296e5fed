"""What a delivery would do to a table: which rows it adds, changes and deletes. Looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from include.engine.contract.model import Contract
from include.engine.errors import Held, Refused
from include.engine.lake.files import DataFile, files_of, rows_of
from include.engine.lake.rows import compare, repeated, row_hash
from include.engine.lake.store import TableStore
from include.engine.lake.table import (
    OWN_COLUMNS,
    PARTITION,
    PLACEHOLDER,
    Lake,
    contract_schema,
    data_schema,
    exists,
    hashed_columns,
    key_of,
    open_table,
    store_of,
)

#: full: the partner's whole table, what it does not name is deleted. delta: new and changed rows, deletions by key.
#: append: events; nothing is deleted.
Mode = Literal["full", "delta", "append"]
Rows = Callable[[], pa.RecordBatchReader]
"""Gives the delivery's rows anew each time it is called, in the same order."""


@dataclass(frozen=True)
class Others:
    """Deliveries of the partner's other flows. A row that one of them changed last is theirs: a full export that lacks it does not delete it,
    nor does it count among the rows of which a share may go. With `win` it is not changed either, whatever is delivered under its key."""

    deliveries: tuple[str, ...] = ()
    win: bool = False

    def rows(self, store: TableStore, files: Sequence[DataFile], count: int) -> npt.NDArray[np.bool_]:
        """Which of the `count` rows of `files` are theirs."""
        if not self.deliveries:
            return np.zeros(count, bool)
        column = rows_of(store, files, pa.schema([OWN_COLUMNS.field("_delivery")])).column("_delivery")
        return np.asarray(pc.is_in(column, value_set=pa.array(self.deliveries, pa.string()))).astype(bool)


NO_OTHERS = Others()


@dataclass(frozen=True)
class Plan:
    """Rows that a delivery would add, change, delete and leave, and the rows (without placeholders) that the partner has now;
    for a full export, those that it may delete.

    `placeholders` are among `added`: rows that stand for what other tables name but nobody has delivered.
    """

    added: int
    changed: int
    deleted: int
    unchanged: int
    placeholders: int
    rows_before: int

    @property
    def delete_share(self) -> float:
        """Share (0..1) of the present rows that would go."""
        return self.deleted / self.rows_before if self.rows_before else 0.0


def plan(
    lake: Lake,
    contract: Contract,
    partner: str,
    rows: Rows,
    mode: Mode,
    delete_keys: pa.Table | None = None,
    spared: Sequence[pa.Table] = (),
    others: Others = NO_OTHERS,
) -> Plan:
    """What `publish` with the same arguments would do now. Nothing is written, also no table is made."""
    if not exists(lake, contract.table):
        incoming = _keys_and_hashes(rows, contract_schema(contract), contract, partner)
        return Plan(incoming.num_rows, 0, 0, 0, int(placeholders_in(incoming).sum()), 0)
    handle, store = open_table(lake, contract.table), store_of(lake, contract.table)
    return differences(handle, store, contract, partner, rows, mode, delete_keys, spared, others).plan


def would_delete(
    lake: Lake, contract: Contract, partner: str, rows: Rows, spared: Sequence[pa.Table] = (), others: Others = NO_OTHERS
) -> pa.Table:
    """The keys of the rows that `publish` in mode `full` would delete now for want of being named."""
    narrow = pa.schema([contract_schema(contract).field(name) for name in key_of(contract)])
    if not exists(lake, contract.table):
        return narrow.empty_table()
    handle, store = open_table(lake, contract.table), store_of(lake, contract.table)
    found = differences(handle, store, contract, partner, rows, "full", None, spared, others)
    return rows_of(store, found.files, narrow).filter(pa.array(found.gone))


def brake(planned: Plan, contract: Contract, partner: str) -> None:
    """Raise Held MASS_DELETION when the share of deleted rows is above the contract's `delete_above`."""
    if planned.delete_share > contract.delete_above:
        raise Held(
            f"the delivery would delete {planned.deleted:,} of {planned.rows_before:,} rows ({planned.delete_share:.0%}; "
            f"{contract.delete_above:.0%} is the most without approval).",
            where=f"partner {partner}, table {contract.table}",
            do="Approve it if it is meant; else deliver a whole export again.",
            code="MASS_DELETION",
            values={"count": planned.deleted, "limit": f"{contract.delete_above:.0%}"},
        )


@dataclass(frozen=True)
class Differences:
    """A plan with the positions behind it: `take` flags the delivery's rows to write, `drop` the present rows (in file order) that go;
    of these `gone` are deleted, the others replaced."""

    plan: Plan
    files: list[DataFile]
    take: npt.NDArray[np.bool_]
    hashes: npt.NDArray[np.int64]
    drop: npt.NDArray[np.bool_]
    gone: npt.NDArray[np.bool_]


def differences(
    handle: DeltaTable,
    store: TableStore,
    contract: Contract,
    partner: str,
    rows: Rows,
    mode: Mode,
    delete_keys: pa.Table | None,
    spared: Sequence[pa.Table] = (),
    others: Others = NO_OTHERS,
) -> Differences:
    """Compare the delivery with the partner's rows at the handle's version, by the contract's key and the row hash."""
    wanted = {field.name: field for field in contract_schema(contract)}
    fields = {field.name: field for field in data_schema(handle)} | wanted  # a plan may come before the table's migration
    incoming = _keys_and_hashes(rows, pa.schema(fields.values()), contract, partner)
    keys, narrow = list(key_of(contract)), incoming.schema
    files = files_of(handle, partner)
    current = rows_of(store, files, narrow)
    stands_in = placeholders_in(current)
    found = compare(current, incoming, keys)
    take, drop = np.zeros(incoming.num_rows, bool), np.zeros(current.num_rows, bool)
    theirs = others.rows(store, files, current.num_rows)
    real = ~placeholders_in(incoming)[found.changed]  # a placeholder never takes the place of what is there
    if others.win:
        real &= ~theirs[found.replaced]
    take[found.added] = True
    take[found.changed[real]] = True
    drop[found.replaced[real]] = True
    gone = np.zeros(current.num_rows, bool)
    if mode == "full":
        gone[found.missing] = True
        gone &= ~(stands_in | theirs)
        for named in spared:
            if gone.any():
                columns = pa.schema([fields[name] for name in named.schema.names])
                gone &= ~named_by(rows_of(store, files, columns), named, columns.names)
    elif delete_keys is not None:
        gone = named_by(current, delete_keys, keys)
        gone[np.setdiff1d(np.arange(current.num_rows), found.missing, assume_unique=True)] = False  # delivered again: not deleted
    if others.win:
        gone &= ~theirs
    planned = Plan(
        added=len(found.added),
        changed=int(real.sum()),
        deleted=int(gone.sum()),
        unchanged=found.unchanged + int((~real).sum()),
        placeholders=int(placeholders_in(incoming)[found.added].sum()),
        rows_before=current.num_rows - int((stands_in | theirs if mode == "full" else stands_in).sum()),
    )
    hashes = incoming.column("_row_hash").to_numpy().astype(np.int64, copy=False)
    return Differences(planned, files, take, hashes, drop | gone, gone)


def _keys_and_hashes(rows: Rows, schema: pa.Schema, contract: Contract, partner: str) -> pa.Table:
    """The delivery's keys, row hashes and placeholder flags, which is all that a comparison needs in memory."""
    narrow = pa.schema([schema.field(name) for name in [*key_of(contract), "_row_hash", *({PLACEHOLDER} & set(schema.names))]])
    incoming = pa.Table.from_batches([narrowed(batch, narrow) for batch in conformed(rows(), schema, contract, partner)], schema=narrow)
    refuse_repeated(incoming, contract, partner)
    return incoming


def conformed(reader: pa.RecordBatchReader, schema: pa.Schema, contract: Contract, partner: str) -> Iterator[pa.RecordBatch]:
    """The delivery's batches as `schema` (data columns), `_row_hash` computed, `_delivery` left null.

    Raises Refused LAKE_ROW_INCOMPLETE for a null in a required or key column, LAKE_WRONG_PARTNER for rows that name another partner.
    """
    columns = hashed_columns(schema)
    required = [column.name for column in contract.columns if (column.required or column.key) and column.name != PARTITION]
    where = f"table {contract.table}, partner {partner}"
    for batch in reader:
        if PARTITION in batch.schema.names and not pc.all(pc.equal(batch.column(PARTITION), partner), min_count=0).as_py():
            raise Refused(
                "rows name another partner than the delivery's.",
                where=where,
                code="LAKE_WRONG_PARTNER",
            )
        there = set(batch.schema.names)
        own = {name: batch.column(name).cast(schema.field(name).type) for name in [*columns, "_record"] if name in there}
        for name in required:
            if name not in own or own[name].null_count:
                raise Refused(
                    f"column {name} is required and is empty in {own[name].null_count if name in own else batch.num_rows:,} rows.",
                    where=where,
                    do="The gate sets such rows aside: the rows were changed behind it.",
                    code="LAKE_ROW_INCOMPLETE",
                    values={"column": name},
                )
        content = {name: own[name] for name in columns if name in own}
        own["_row_hash"] = row_hash(pa.RecordBatch.from_pydict(content), list(content))
        arrays = [own[field.name] if field.name in own else pa.nulls(batch.num_rows, field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def narrowed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Only the columns of `schema`, which are all in `batch`."""
    return pa.RecordBatch.from_arrays([batch.column(name) for name in schema.names], schema=schema)


def refuse_repeated(rows: pa.Table, contract: Contract, partner: str) -> None:
    """Raise Refused LAKE_KEY_TWICE when a key occurs more than once; the message counts, and shows no value."""
    again = repeated(rows, key_of(contract))
    if again:
        raise Refused(
            f"{again:,} rows repeat the key ({', '.join(key_of(contract))}) of an earlier row.",
            where=f"table {contract.table}, partner {partner}",
            do="The gate sets such rows aside: the rows were changed behind it.",
            code="LAKE_KEY_TWICE",
            values={"count": again},
        )


def placeholders_in(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """For each row whether it is a placeholder; a table without that column has none."""
    if PLACEHOLDER not in rows.schema.names:
        return np.zeros(rows.num_rows, bool)
    return np.asarray(pc.fill_null(rows.column(PLACEHOLDER), False))


def named_by(current: pa.Table, keys_table: pa.Table, keys: list[str]) -> npt.NDArray[np.bool_]:
    """For each present row whether `keys_table` (the key columns; repeats are allowed) names it."""
    wanted = keys_table.select(keys).cast(pa.schema([current.schema.field(key) for key in keys])).group_by(keys).aggregate([])
    rows, named_rows = (side.append_column("_row_hash", pa.nulls(side.num_rows, pa.int64())) for side in (current.select(keys), wanted))
    found = compare(rows, named_rows, keys)
    named = np.ones(current.num_rows, bool)
    named[found.missing] = False
    return named
