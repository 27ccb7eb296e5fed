"""Retract: take a published delivery out of a table again, as a new version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from include.engine.lake.commit import Change, transact
from include.engine.lake.files import DataFile, PartitionWriter, files_of, kept, rows_of
from include.engine.lake.log import Commit, commit_at, recorded
from include.engine.lake.publish import rewrite, transaction_of
from include.engine.lake.rows import pairs
from include.engine.lake.store import TableStore
from include.engine.lake.table import KEY, Lake, history_gone, open_table, store_of

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Retracted:
    """What a retraction did, in rows: `removed` had been added by the delivery, `restored` are back as they were before it, `kept` were
    changed again by later deliveries and stay as these left them. `recorded`: it was done before; these are its figures then."""

    version_before: int
    version_after: int
    removed: int
    restored: int
    kept: int
    recorded: bool = False


def retract(lake: Lake, table: str, delivery_id: str, check: Callable[[], None] = lambda: None) -> Retracted:
    """Undo what the delivery did to `table`, in one commit that happens once; nothing when it did nothing there.

    Rows it added go; rows it changed or deleted come back as they were; rows that a later delivery changed, deleted or delivered anew
    stay as they are. Raises WrongState LAKE_TABLE_MISSING; LAKE_HISTORY_GONE when the state before the delivery was vacuumed or erased.
    """
    handle, store = open_table(lake, table), store_of(lake, table)
    done = recorded(store, handle, transaction_of(delivery_id))
    if done is None:
        return Retracted(handle.version(), handle.version(), 0, 0, 0)
    keys = handle.metadata().configuration[KEY].split(",")

    def prepare(handle: DeltaTable, store: TableStore, writer: PartitionWriter) -> Change:
        try:
            return _undo(handle, store, writer, done, delivery_id, keys)
        except FileNotFoundError as error:
            raise history_gone(table, f"the state before {delivery_id} is no longer kept") from error

    commit, before = transact(lake, table, str(done.facts["partner"]), f"retract:{delivery_id}", prepare, check, keys)
    counts = {name: int(commit.facts[name]) for name in ("removed", "restored", "kept")}
    return Retracted(commit.version - 1, commit.version, **counts, recorded=before)


def _undo(handle: DeltaTable, store: TableStore, writer: PartitionWriter, done: Commit, delivery_id: str, keys: Sequence[str]) -> Change:
    partner = str(done.facts["partner"])
    narrow = pa.schema([writer.schema.field(name) for name in [*keys, "_delivery", "_row_hash"]])
    # The delivery's commit touched these files and no others: what is not in them was not its doing.
    old_files = [DataFile(path, partner, 0, 0) for path in sorted(done.removed)]
    old = rows_of(store, old_files, narrow)
    new = rows_of(store, [DataFile(path, partner, 0, 0) for path in sorted(done.added)], narrow)
    files = files_of(handle, partner)
    now = rows_of(store, files, narrow)

    written = new.filter(pc.equal(new.column("_delivery"), delivery_id))
    mine = _flags(now, delivery_id)  # rows that are still as the delivery left them
    replaced = _in(old, written, keys)
    deleted = ~_in(old, new, keys)
    taken_back = deleted & ~_in(old, now, keys)
    if taken_back.any():
        taken_back &= ~_named_later(store, handle, done, old, keys, narrow)
    restore = (replaced & _in(old, now.filter(pa.array(mine)), keys)) | taken_back

    start = 0
    for file in old_files:
        for batch in kept(store, file, writer.schema, ~restore[start:]):
            writer.write(batch)
        start += rows_of(store, [file], pa.schema([narrow.field("_row_hash")])).num_rows
    restored = int(restore.sum())
    removed = int(mine.sum()) - int((restore & replaced).sum())
    left = (written.num_rows - int(mine.sum())) + (int(deleted.sum()) - int(taken_back.sum()))
    facts = {"kind": "retract", "delivery": delivery_id, "removed": removed, "restored": restored, "kept": left}
    return Change(rewrite(store, writer, files, mine), facts)


def _in(rows: pa.Table, others: pa.Table, keys: Sequence[str]) -> Flags:
    """For each of `rows` whether its key is in `others`."""
    found = np.zeros(rows.num_rows, bool)
    if rows.num_rows and others.num_rows:
        found[pairs(rows, others, keys)[1]] = True
    return found


def _flags(rows: pa.Table, delivery_id: str) -> Flags:
    return np.asarray(pc.fill_null(pc.equal(rows.column("_delivery"), delivery_id), False))


def _named_later(store: TableStore, handle: DeltaTable, done: Commit, old: pa.Table, keys: Sequence[str], narrow: pa.Schema) -> Flags:
    """For each of `old` whether a later delivery brought its key again: if it is absent now, that is a later delivery's doing too."""
    named = np.zeros(old.num_rows, bool)
    for version in range(done.version + 1, handle.version() + 1):
        commit = commit_at(store, version)
        if commit is None or commit.facts.get("partner") != done.facts["partner"] or not commit.facts.get("added"):
            continue
        for path in commit.added:
            if store.size(path) is not None:
                rows = rows_of(store, [DataFile(path, "", 0, 0)], narrow)
                named |= _in(old, rows.filter(pa.array(_flags(rows, str(commit.facts["delivery"])))), keys)
    return named
