"""One atomic, fenced change of one partner's rows in one table.

Each commit names two application transactions. The first is what it does (`bindery:<delivery>`): of two tries at once, one gets in. The
second is the partner's turn (`partner:<partner>`), counted up by every change of that partner's rows: who worked from an older state than
the newest is refused, and works again from the new one. Changes of different partners touch neither, and do not wait for each other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError

from include.engine.errors import Unreachable
from include.engine.lake.files import DataFile, PartitionWriter
from include.engine.lake.log import FACTS, Commit, name_of, recorded
from include.engine.lake.store import TableStore
from include.engine.lake.table import PARTITION, Lake, data_schema, open_table, plain_name, store_of

ATTEMPTS = 12
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
    lake: Lake, table: str, partner: str, transaction: str, prepare: Prepare, check: Callable[[], None], keys: tuple[str, ...] = ()
) -> tuple[Commit, bool]:
    """Do a change once: prepare it from the newest version, check the fence, commit. Returns its commit, and whether it was there already.

    `prepare` reads the handle's version, writes new rows to the writer and says the rest; it runs again when another change of the partner
    got in between. `check` raises when this try is stale; it runs last before the commit. Raises Unreachable LAKE_BUSY after ATTEMPTS.
    """
    store = store_of(lake, table)
    for attempt in range(ATTEMPTS):
        handle = open_table(lake, table)
        found = recorded(store, handle, transaction)
        if found is not None:
            return found, True
        check()
        started = time.monotonic()
        writer = PartitionWriter(store, data_schema(handle), plain_name(partner), keys)
        try:
            change = prepare(handle, store, writer)
            written = writer.close()
            check()
            whole = all(store.size(file.path) == file.size for file in written)  # an erasure may have swept them away meanwhile
            if whole and time.monotonic() - started < LONGEST_SECONDS:
                _commit(handle, partner, transaction, change, written)
                return _committed(lake, table, store, transaction), False
        except CommitFailedError:
            _discard(lake, table, store, transaction, writer)
        except BaseException:
            _discard(lake, table, store, transaction, writer)
            raise
        time.sleep(random.uniform(0.0, 0.05) * 2 ** min(attempt, 6))  # noqa: S311  (spreads tries in time; no secret)
    raise Unreachable(
        f"{ATTEMPTS} tries met changes by others.", where=f"lake table {table}, partner {partner}", do="A retry helps.", code="LAKE_BUSY"
    )


def _commit(handle: DeltaTable, partner: str, transaction: str, change: Change, written: list[DataFile]) -> None:
    now = int(time.time() * 1000)
    turn = f"{PARTITION}:{partner}"
    mine = Transaction(transaction, handle.version() + 1, now)  # its number tells `recorded` where to begin looking
    actions = [file.added(change.data_change) for file in written] + [file.removed(change.data_change) for file in change.remove]
    facts = {**change.facts, "transaction": transaction, "partner": partner}
    properties = CommitProperties(
        custom_metadata={FACTS: facts},
        max_commit_retries=_INNER_RETRIES,
        app_transactions=[mine, Transaction(turn, (handle.transaction_version(turn) or 0) + 1, now)],
    )
    handle.create_write_transaction(actions, "append", handle.schema(), [PARTITION], commit_properties=properties)


def _committed(lake: Lake, table: str, store: TableStore, transaction: str) -> Commit:
    commit = recorded(store, open_table(lake, table), transaction)
    if commit is None:
        raise Unreachable(
            "a commit that was accepted cannot be read back.", where=f"lake table {table}", do="A retry helps.", code="LAKE_BUSY"
        )
    store.sync(name_of(commit.version))
    return commit


def _discard(lake: Lake, table: str, store: TableStore, transaction: str, writer: PartitionWriter) -> None:
    """Delete what this try wrote, unless a commit names it, or may: only a plain no is a no, and vacuum takes what is left."""
    try:
        found = recorded(store, open_table(lake, table), transaction)
    except Exception:
        return
    if found is None or not set(found.added) & set(writer.paths):
        writer.discard()
