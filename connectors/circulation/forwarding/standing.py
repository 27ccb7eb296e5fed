"""All conflicts of a sidecar's folder that staff have not closed: of the journal, and of what was retired of it those that the store still has."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.store import reader_of
from connectors.circulation.forwarding.resume import resumed
from connectors.circulation.forwarding.state import Conflict, State
from connectors.circulation.journal import before
from include.engine.crypto.keys import KeyStore


def standing(folder: Path, keys: KeyStore) -> State:
    """The state of the journal, with the embedded back end's conflicts from before its first entry; the sidecar may run meanwhile."""
    state, first = resumed(folder, keys), before(folder / "journal")
    store = reader_of(folder) if first else None
    if store is not None:
        try:
            older = {row["number"]: _conflict(row) for row in store.rows("conflict") if row["number"] <= first}
        finally:
            store.close()
        state.conflicts = older | state.conflicts
    return state


def _conflict(row: Row) -> Conflict:
    """A row of the store's. What was written before November 2026 lacks what kind it is, and whether it was ok: an accepted one has no reason."""
    asked = json.loads(row["asked"])
    kind, ok = asked.pop("kind", ""), asked.pop("ok", not row["found"])
    at = datetime.fromtimestamp(row["at"], UTC).isoformat(timespec="seconds")
    return Conflict(row["number"], at, kind, row["reason"], asked, {"ok": True}, {"ok": ok, "reason": row["found"]})
