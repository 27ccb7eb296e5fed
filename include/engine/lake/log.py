"""The table's log: what a commit says of itself, and whether a transaction is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable

from include.engine.lake.store import LOG, TableStore
from include.engine.lake.table import history_gone

FACTS = "bindery"


@dataclass(frozen=True)
class Commit:
    """One version of the table: when it was made (milliseconds since 1970), our own `facts` of it, files added and removed (paths)."""

    version: int
    at_ms: int
    facts: dict[str, Any]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def name_of(version: int) -> str:
    """Path of a version's commit file."""
    return f"{LOG}/{version:020d}.json"


def commit_at(store: TableStore, version: int) -> Commit | None:
    """The commit that made `version`; None when there is none (any more)."""
    content = store.read(name_of(version))
    if content is None:
        return None
    actions = [json.loads(line) for line in content.splitlines() if line.strip()]
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    return Commit(
        version,
        int(info.get("timestamp", 0)),
        dict(info.get(FACTS) or {}),
        tuple(unquote(action["add"]["path"]) for action in actions if "add" in action),
        tuple(unquote(action["remove"]["path"]) for action in actions if "remove" in action),
    )


def recorded(store: TableStore, handle: DeltaTable, transaction: str) -> Commit | None:
    """The commit that carries `transaction`, None when it never happened up to the handle's version.

    Raises WrongState LAKE_HISTORY_GONE when it happened so long ago that its commit is no longer in the log.
    """
    earliest = handle.transaction_version(transaction)
    if earliest is None:
        return None
    found = first_with(store, transaction, earliest, handle.version())
    if found is None:
        raise history_gone(handle.table_uri, f"the commit of {transaction} is no longer in the log")
    return found


def first_with(store: TableStore, transaction: str, first: int, last: int) -> Commit | None:
    """The commit among versions `first` to `last` whose facts name `transaction`."""
    for version in range(first, last + 1):
        commit = commit_at(store, version)
        if commit is not None and commit.facts.get("transaction") == transaction:
            return commit
    return None
