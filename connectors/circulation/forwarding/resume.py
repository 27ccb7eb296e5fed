"""Where a start begins to read the journal: at the last entry that holds the whole state."""

from __future__ import annotations

from pathlib import Path

from connectors.circulation.forwarding.state import State, rebuilt
from connectors.circulation.journal import before, read
from include.engine.crypto.keys import KeyStore
from include.engine.durable import write_whole

MARK = "forwarding.at"
"""A file with the number of that entry; without it, or when it is older than the journal, all of the journal is read."""


def checkpointed(folder: Path, number: int) -> None:
    """The entry `number` is durable and holds the whole state."""
    write_whole(folder / MARK, str(number).encode())


def resumed(folder: Path, keys: KeyStore) -> State:
    """The state as the journal has it."""
    journal = folder / "journal"
    try:
        after = int((folder / MARK).read_text()) - 1
    except (FileNotFoundError, ValueError):
        after = 0
    state = rebuilt(read(journal, keys, after=max(after, before(journal)))) if journal.exists() else State()
    return state
