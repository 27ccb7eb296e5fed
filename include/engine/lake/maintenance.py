"""Upkeep of a table: fewer files, no left-overs, and nothing of whom an erasure names."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from include.engine import clock
from include.engine.lake.commit import Change, transact
from include.engine.lake.files import DataFile, PartitionWriter, batches, files_of, kept
from include.engine.lake.log import commit_at
from include.engine.lake.read import pinned
from include.engine.lake.store import LOG, StoredFile, TableStore
from include.engine.lake.table import PARTITION, Lake, open_table, plain_name, store_of

SMALL_ROWS = 250_000
KEEP_DAYS = 30
LEASE_SECONDS, LEASE_WAIT = 3600.0, 600.0
ORPHAN_HOURS = 24  # twice the longest that a change may take before it starts again (LONGEST_SECONDS in commit)


@dataclass(frozen=True)
class Cleared:
    """Files and bytes that vacuum took away."""

    files: int
    bytes: int


@dataclass(frozen=True)
class Erased:
    """What an erasure did to a table: rows taken out of its present, files and bytes of its past taken off the disk."""

    version_before: int
    version_after: int
    rows: int
    files: int
    bytes: int


def compact(lake: Lake, table: str, *, partner: str | None = None, small_rows: int = SMALL_ROWS) -> int:
    """Write a partner's small files (below `small_rows` rows) together, for one partner or each; returns how many files went."""
    with _lease(lake, table):
        partners = sorted({file.partner for file in files_of(open_table(lake, table), partner)})
        return sum(_compact(lake, table, each, small_rows) for each in partners)


def _compact(lake: Lake, table: str, partner: str, small_rows: int) -> int:
    def small(handle: DeltaTable) -> list[DataFile]:
        found = [file for file in files_of(handle, partner) if file.rows < small_rows]
        return found if len(found) > 1 else []

    def prepare(handle: DeltaTable, store: TableStore, writer: PartitionWriter) -> Change:
        for file in (together := small(handle)):
            for batch in batches(store, file, writer.schema):
                writer.write(batch)
        return Change(together, {"kind": "compact"}, data_change=False)

    if not small(open_table(lake, table)):
        return 0
    commit, _ = transact(lake, table, partner, f"compact:{uuid.uuid4().hex}", prepare, _nothing, once=False)
    return len(commit.removed)


def vacuum(lake: Lake, table: str, *, keep_days: float = KEEP_DAYS, orphan_hours: float = ORPHAN_HOURS) -> Cleared:
    """Delete files that no version of the last `keep_days` needs, and left-overs of crashed tries older than `orphan_hours`.

    Versions that the ledger's latest manifest pins keep their files. Retraction and reading of older versions end with their files.
    """
    with _lease(lake, table):
        store, now = store_of(lake, table), clock.now()
        listed = _data_files(store, "")
        handle = open_table(lake, table)
        needed = {file.path for file in files_of(handle)} | _removed_since(store, handle, now - timedelta(days=keep_days))
        if (pin := pinned(lake).get(table)) is not None and pin < handle.version():
            needed |= {file.path for file in files_of(open_table(lake, table, pin))}
        youngest = now - timedelta(hours=orphan_hours)
        return _clear(store, [file for file in listed if file.path not in needed and file.changed <= youngest])


def _removed_since(store: TableStore, handle: DeltaTable, since: datetime) -> set[str]:
    """Paths that commits since then removed: versions of that time still need them."""
    removed: set[str] = set()
    for version in range(handle.version(), -1, -1):
        commit = commit_at(store, version)
        if commit is None or commit.at_ms < since.timestamp() * 1000:
            break
        removed.update(commit.removed)
    return removed


def history_without(
    lake: Lake, table: str, partner: str, where: ds.Expression, *, erasure: str = "", check: Callable[[], None] = lambda: None
) -> Erased:
    """Take a partner's rows that match `where` out of the table, and every older data file of the partner off the disk at once.

    Afterwards no byte of such a row is in the table's folder: files of the present are written again without them, those of older versions
    and of crashed tries are gone, and the log never held a value. Older versions of this partner cannot be read any more: pin the new one.
    A publish that runs meanwhile starts again from the new version. `erasure` is an id (nothing personal) under which a retry finds how
    many rows went the first time; it sweeps and looks for rows again.
    """
    with _lease(lake, table):
        store = store_of(lake, table)
        before: list[StoredFile] = []

        def prepare(handle: DeltaTable, store: TableStore, writer: PartitionWriter) -> Change:
            # Listed before our commit counts the partner's turn up: whoever wrote one of these files and commits after us is refused.
            before[:] = _data_files(store, f"{PARTITION}={plain_name(partner)}")
            touched, rows = [], 0
            for file in files_of(handle, partner):
                drop = _matching(store, file, writer.schema, where)
                if drop.any():
                    touched.append(file)
                    rows += int(drop.sum())
                    for batch in kept(store, file, writer.schema, drop):
                        writer.write(batch)
            return Change(touched, {"kind": "erase", "rows": rows})

        name = f"erase:{erasure or uuid.uuid4().hex}"
        commit, was_done = transact(lake, table, partner, name, prepare, check, once=bool(erasure))
        rows = int(commit.facts["rows"])
        if was_done:
            commit, _ = transact(lake, table, partner, f"{name}:again:{uuid.uuid4().hex}", prepare, check, once=False)
            rows += int(commit.facts["rows"])
        present = {file.path for file in files_of(open_table(lake, table), partner)}
        cleared = _clear(store, [file for file in before if file.path not in present])
        return Erased(commit.version - 1, commit.version, rows, cleared.files, cleared.bytes)


def _matching(store: TableStore, file: DataFile, schema: pa.Schema, where: ds.Expression) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For each row of the file whether `where` holds."""
    flags = np.zeros(file.rows, bool)
    start = 0
    for batch in batches(store, file, schema):
        positions = pa.array(np.arange(start, start + batch.num_rows))
        start += batch.num_rows
        rows = pa.Table.from_batches([batch]).append_column("_position", positions)
        rows = rows.append_column(PARTITION, pa.repeat(pa.scalar(file.partner), batch.num_rows))
        flags[rows.filter(where).column("_position").to_numpy()] = True
    return flags


def _data_files(store: TableStore, folder: str) -> list[StoredFile]:
    return [file for file in store.listing(folder) if not file.path.startswith(f"{LOG}/")]


def _clear(store: TableStore, files: list[StoredFile]) -> Cleared:
    gone = [file for file in files if store.delete(file.path)]
    return Cleared(len(gone), sum(file.size for file in gone))


@contextmanager
def _lease(lake: Lake, table: str) -> Iterator[None]:
    """One upkeep of a table at a time, where there is a ledger to say so. Publish needs no lease: its commit sees what came in between."""
    if lake.ledger is None:
        yield
        return
    from include.engine.ledger.leases import lease

    with lease(lake.ledger, f"lake:{table}", holder=f"upkeep {uuid.uuid4().hex[:8]}", seconds=LEASE_SECONDS, wait=LEASE_WAIT):
        yield


def _nothing() -> None:
    return None
