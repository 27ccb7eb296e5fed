"""One atomic, fenced change of one partner's rows in one table.

Each commit names two application transactions. The first is what it does (`bindery:<delivery>`): of two tries at once, one gets in. The
second is the partner's turn (`partner:<partner>`), counted up by every change of that partner's rows: who worked from an older state than
the newest is refused, and works again from the new one. Changes of different partners touch neither, and do not wait for each other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError

from include.engine.errors import Unreachable
from include.engine.failpoints import point
from include.engine.lake.files import DataFile, PartitionWriter
from include.engine.lake.log import FACTS, Commit, first_with, name_of, recorded
from include.engine.lake.store import TableStore
from include.engine.lake.table import PARTITION, Lake, data_schema, open_table, plain_name, store_of

ATTEMPTS = 12
RECOMMITS = 1000  # each refusal for the sake of another partner means that another partner got through
#: A change that took longer starts again: vacuum takes uncommitted files of twice this age for left-overs of a crash.
LONGEST_SECONDS = 12 * 3600
_INNER_RETRIES = 200  # against commits of other partners, which only take the next version number from us


@dataclass
class Change:
    """What a change does besides adding what its writer wrote. `data_change` is False when the rows stay the same (compaction)."""

    remove: list[DataFile] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    data_change: bool = True


Prepare = Callable[[DeltaTable, TableStore, PartitionWriter], Change]


def transact(
    lake: Lake,
    table: str,
    partner: str,
    transaction: str,
    prepare: Prepare,
    check: Callable[[], None],
    keys: Sequence[str] = (),
    once: bool = True,
) -> tuple[Commit, bool]:
    """Do a change: prepare it from the newest version, check the fence, commit. Returns its commit, and whether it was there already.

    `prepare` reads the handle's version, writes new rows to the writer and says the rest; it runs again when another change of the partner
    got in between. `check` raises when this try is stale; it runs last before the commit. `keys` tells the writer which column has no two
    values alike. With `once` false the change may happen again under its name. Raises Unreachable LAKE_BUSY after ATTEMPTS.
    """
    store = store_of(lake, table)
    for attempt in range(ATTEMPTS):
        handle = open_table(lake, table)
        found = recorded(store, handle, transaction) if once else None
        if found is not None:
            return found, True
        check()
        started = time.monotonic()
        writer = PartitionWriter(store, data_schema(handle), plain_name(partner), keys)
        since = handle.version()
        try:
            change = prepare(handle, store, writer)
            written = writer.close()
            for _ in range(RECOMMITS):
                check()
                whole = all(store.size(file.path) == file.size for file in written)  # an erasure may have swept them away meanwhile
                if not whole or time.monotonic() - started > LONGEST_SECONDS:
                    break
                try:
                    point("lake.written")
                    _commit(handle, partner, transaction, change, written, once)
                    point("lake.committed")
                    return _committed(lake, table, store, transaction, since), False
                except CommitFailedError:
                    handle, old = open_table(lake, table), handle
                    if not _same_ground(old, handle, partner):
                        raise
                    time.sleep(random.uniform(0.0, 0.05))  # noqa: S311  (spreads tries in time; no secret)
            writer.discard()  # none of our commits got in: what an erasure did not sweep away may hold whom it took out
        except BaseException as error:
            # Nobody has seen what this try wrote, unless a commit names it: the other try's, or ours behind an answer that was lost.
            if not _may_be_in(lake, table, store, transaction, since, writer.paths):
                writer.discard()
            if not isinstance(error, CommitFailedError):
                raise
        time.sleep(random.uniform(0.0, 0.05) * 2 ** min(attempt, 6))  # noqa: S311  (spreads tries in time; no secret)
    raise Unreachable(
        f"{ATTEMPTS} tries met changes by others.", where=f"lake table {table}, partner {partner}", do="A retry helps.", code="LAKE_BUSY"
    )


def _same_ground(old: DeltaTable, new: DeltaTable, partner: str) -> bool:
    """Whether nothing between two versions concerns the partner: Delta also refuses a commit because another partner's file was removed."""
    turn = f"{PARTITION}:{partner}"
    return bool(old.transaction_version(turn) == new.transaction_version(turn) and old.schema() == new.schema())


def _commit(handle: DeltaTable, partner: str, transaction: str, change: Change, written: list[DataFile], once: bool) -> None:
    now = int(time.time() * 1000)
    turn = f"{PARTITION}:{partner}"
    named = [Transaction(turn, (handle.transaction_version(turn) or 0) + 1, now)]
    if once:
        named.append(Transaction(transaction, handle.version() + 1, now))  # its number tells `recorded` where to begin looking
    actions = [file.added(change.data_change) for file in written] + [file.removed(change.data_change) for file in change.remove]
    facts = {**change.facts, "transaction": transaction, "partner": partner}
    properties = CommitProperties(custom_metadata={FACTS: facts}, max_commit_retries=_INNER_RETRIES, app_transactions=named)
    handle.create_write_transaction(actions, "append", handle.schema(), [PARTITION], commit_properties=properties)


def _committed(lake: Lake, table: str, store: TableStore, transaction: str, after: int) -> Commit:
    """The commit that we made after that version, durable on a local disk."""
    commit = first_with(store, transaction, after + 1, open_table(lake, table).version())
    if commit is None:
        where = f"lake table {table}"
        raise Unreachable("a commit that was accepted cannot be read back.", where=where, do="A retry helps.", code="LAKE_BUSY")
    store.sync(name_of(commit.version))
    return commit


def _may_be_in(lake: Lake, table: str, store: TableStore, transaction: str, after: int, paths: list[str]) -> bool:
    """Whether a commit after that version names one of `paths`, or may: only a plain no is a no, and vacuum takes what is left."""
    try:
        commit = first_with(store, transaction, after + 1, open_table(lake, table).version())
    except Exception:
        return True
    return commit is not None and bool(set(commit.added) & set(paths))
