"""The journal's conflicts on their way to staff: into the ledger, from where the board and alerts show them. No card, no name, no title goes there.
What staff say on the board that they have dealt with goes the other way, to the sidecar's own list."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connectors.circulation.forwarding import keeping
from connectors.circulation.forwarding.report import explained, side
from connectors.circulation.forwarding.state import Conflict as Reported
from connectors.circulation.forwarding.state import reported
from connectors.circulation.journal.reading import Entry
from include.engine.inbound.pulled import Pull
from include.engine.ledger import conflicts
from include.engine.ledger.conflicts import Conflict

log = logging.getLogger("bindery.circulation")


def enter(pull: Pull, journal: str, entries: Iterable[Entry]) -> None:
    """Enter what these entries report, and close what they say staff are done with; the same entries again change nothing."""
    found: list[Conflict] = []
    closed: list[int] = []
    for entry in entries:
        if entry.data["kind"] == "closed":
            closed.append(int(entry.data["number"]))
        elif "closes" in entry.data:  # what waited is settled
            closed.append(int(entry.data["closes"]))
        found += (_entered(pull, journal, one) for one in _reported(entry))
    conflicts.enter(pull.engine.ledger, pull.partner.id, journal, found, closed)


def close_there(pull: Pull, journal: str, folder: Path) -> None:
    """Leave the numbers of those that were dealt with on the board for the sidecar of `folder`, as `conflicts --close` does; its journal says
    when it has closed them. Until then its list is longer than the board's, and no delivery fails for it."""
    for number in conflicts.open_there(pull.engine.ledger, pull.partner.id, journal):
        try:
            keeping.close(folder, number)
        except OSError as error:
            log.warning("conflict %d was dealt with on the board, and the sidecar could not be told: %s", number, error)
            return


def is_conflict(data: dict[str, Any]) -> bool:
    """Whether an entry of the journal reports one."""
    return bool(data.get("report") or data.get("conflict"))


def _reported(entry: Entry) -> Iterator[Reported]:
    """What an entry reports itself, or still holds from before: a checkpoint lists everything that is open."""
    if entry.data["kind"] == "forwarding":
        yield from (Reported(**one) for one in entry.data["state"]["conflicts"])
    elif is_conflict(entry.data):
        yield reported(entry.number, entry.data)


def _entered(pull: Pull, journal: str, one: Reported) -> Conflict:
    zone, asked = ZoneInfo(pull.partner.timezone), one.asked
    return Conflict(
        partner=pull.partner.id,
        source=journal,
        number=one.number,
        flow=pull.delivery.flow,
        at=datetime.fromisoformat(asked.get("at") or one.at).astimezone(UTC),
        terminal=asked.get("terminal", ""),
        branch=asked.get("branch", ""),
        what=one.kind,
        item=asked.get("item", ""),
        machine=side(one.said, zone),
        system=side(one.found, zone),
        reason=one.reason,
        explained=explained(one.reason, pull.partner.language, one.found),
    )
