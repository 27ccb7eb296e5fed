"""Publish: a whole delivery into one table, in one commit that happens once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from deltalake import DeltaTable

from include.engine.contract.model import Contract
from include.engine.lake.commit import Change, transact
from include.engine.lake.files import DataFile, PartitionWriter, files_of, kept
from include.engine.lake.log import Commit, recorded
from include.engine.lake.migrate import ensure
from include.engine.lake.plan import Mode, Others, Rows, conformed, differences, narrowed, placeholders_in, refuse_repeated
from include.engine.lake.rows import KeysSeen
from include.engine.lake.store import TableStore
from include.engine.lake.table import PLACEHOLDER, Lake, data_schema, exists, key_of, open_table, store_of


@dataclass(frozen=True)
class Published:
    """What a publish did, in rows of the table, and the versions around it. `recorded`: it was done before; these are its figures then."""

    version_before: int
    version_after: int
    added: int
    changed: int
    deleted: int
    unchanged: int
    placeholders: int = 0
    recorded: bool = False


def transaction_of(delivery_id: str) -> str:
    """The name of a delivery's transaction in a table's log."""
    return f"bindery:{delivery_id}"


def publish(
    lake: Lake,
    contract: Contract,
    partner: str,
    delivery_id: str,
    rows: Rows,
    mode: Mode,
    check: Callable[[], None],
    delete_keys: pa.Table | None = None,
    spared: Sequence[pa.Table] = (),
    others: Callable[[], Others] = Others,
) -> Published:
    """Bring the partner's part of `contract.table` to what the delivery says; readers see all of it or nothing.

    `rows` gives batches with the contract's columns (`partner` may be missing) and, where known, `_record`; it may be called several
    times. A key that is there with the same content is left alone; a row with `placeholder` true never replaces one, and is not deleted
    by a full export that lacks it. `delete_keys` (key columns; modes delta and append) names rows to delete; `spared` (tables of any of the
    contract's columns) names rows that a full export does not delete though it lacks them; `others` says
    which rows are another flow's (asked at each look at the table, after it). `check` raises StaleToken when a newer try has
    taken over; it is the last thing before the commit. Any number of tries may run at once: one commits, all return its figures. Raises
    Refused (LAKE_KEY_TWICE, LAKE_ROW_INCOMPLETE, LAKE_WRONG_PARTNER), SettingsError CONTRACT_MIGRATION, Unreachable LAKE_BUSY. The brake
    on mass deletion is `plan` and `brake`, before this.
    """
    ensure(lake, contract)

    def prepare(handle: DeltaTable, store: TableStore, writer: PartitionWriter) -> Change:
        if not files_of(handle, partner):
            return _first(handle, writer, contract, partner, delivery_id, mode, rows)
        found = differences(handle, store, contract, partner, rows, mode, delete_keys, spared, others())
        _write_taken(writer, conformed(rows(), writer.schema, contract, partner), found.take, found.hashes, delivery_id)
        planned = found.plan
        facts = _facts(handle, delivery_id, mode, planned.added, planned.changed, planned.deleted, planned.unchanged, planned.placeholders)
        return Change(rewrite(store, writer, found.files, found.drop), facts)

    commit, before = transact(lake, contract.table, partner, transaction_of(delivery_id), prepare, check, key_of(contract))
    return published(commit, before)


def published_before(lake: Lake, table: str, delivery_id: str) -> Published | None:
    """What the delivery's publish into `table` did, None when it never happened."""
    if not exists(lake, table):
        return None
    commit = recorded(store_of(lake, table), open_table(lake, table), transaction_of(delivery_id))
    return None if commit is None else published(commit, True)


def published(commit: Commit, was_recorded: bool) -> Published:
    """A commit's own account of a publish."""
    counts = {name: int(commit.facts[name]) for name in ("added", "changed", "deleted", "unchanged", "placeholders")}
    return Published(commit.version - 1, commit.version, **counts, recorded=was_recorded)


def rewrite(store: TableStore, writer: PartitionWriter, files: Sequence[DataFile], drop: npt.NDArray[np.bool_]) -> list[DataFile]:
    """Write again those files that hold a row to `drop` (flags over all `files` in order), without it; return these files."""
    removed, start = [], 0
    for file in files:
        part = drop[start : start + file.rows]
        start += file.rows
        if part.any():
            removed.append(file)
            for batch in kept(store, file, writer.schema, part):
                writer.write(batch)
    return removed


def _first(
    handle: DeltaTable, writer: PartitionWriter, contract: Contract, partner: str, delivery_id: str, mode: Mode, rows: Rows
) -> Change:
    """The partner has nothing yet: write as it comes, in one pass; of each key a hash is held, to see that none comes twice."""
    schema, keys = data_schema(handle), key_of(contract)
    narrow = pa.schema([schema.field(name) for name in [*keys, *({PLACEHOLDER} & set(schema.names))]])
    seen, count, placeholders = KeysSeen(keys), 0, 0
    for batch in conformed(rows(), schema, contract, partner):
        writer.write(_stamped(batch, delivery_id))
        part = narrowed(batch, narrow)
        seen.add(part)
        count += part.num_rows
        placeholders += int(placeholders_in(pa.table(part)).sum())
    twice = seen.twice()
    if len(twice):
        again = (narrowed(batch, narrow) for batch in conformed(rows(), schema, contract, partner))
        refuse_repeated(pa.Table.from_batches([seen.among(batch, twice) for batch in again]), contract, partner)
    return Change([], _facts(handle, delivery_id, mode, count, 0, 0, 0, placeholders))


def _write_taken(
    writer: PartitionWriter, batches: Iterator[pa.RecordBatch], take: npt.NDArray[np.bool_], hashes: npt.NDArray[np.int64], delivery_id: str
) -> None:
    start = 0
    for batch in batches:
        part = take[start : start + batch.num_rows]
        same = hashes[start : start + batch.num_rows]
        start += batch.num_rows
        if len(part) != batch.num_rows or not np.array_equal(same, batch.column("_row_hash").to_numpy()):
            raise ValueError("the rows of a delivery must be the same each time they are read")
        if part.any():
            writer.write(_stamped(batch if part.all() else batch.filter(pa.array(part)), delivery_id))
    if start != len(take):
        raise ValueError("the rows of a delivery must be the same each time they are read")


def _stamped(batch: pa.RecordBatch, delivery_id: str) -> pa.RecordBatch:
    position = batch.schema.get_field_index("_delivery")
    return batch.set_column(position, batch.schema.field(position), pa.repeat(pa.scalar(delivery_id, pa.string()), batch.num_rows))


def _facts(
    handle: DeltaTable, delivery_id: str, mode: str, added: int, changed: int, deleted: int, unchanged: int, placeholders: int
) -> dict[str, Any]:
    counts = {"added": added, "changed": changed, "deleted": deleted, "unchanged": unchanged, "placeholders": placeholders}
    return {"kind": "publish", "delivery": delivery_id, "mode": mode, "read_version": handle.version(), **counts}
