"""How far the journal is in the lake. There is no cursor: the deliveries that hold its entries say it themselves.

A delivery begins where everything before it is published, so the furthest that a published one reaches is how far the lake is. One that was
blocked or failed leaves no gap: the next begins where it began. A retracted one counts: what a person has taken out is not brought back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from include.engine.delivery import Delivery, State
from include.engine.ledger import deliveries
from include.engine.ledger.database import Ledger

FLOW = "circulation_journal"
_HELD = (State.PUBLISHED, State.ACKNOWLEDGED, State.RETRACTED)
_LOOK = 100
"""Deliveries looked at: they begin one after the other, so that the furthest is among the newest. Further back only where the newest are
replays, rehearsals or another journal's alone."""


class Position(NamedTuple):
    """The last entry that is in the lake, and the last of which the delivery is acknowledged too."""

    published: int
    acknowledged: int


def position(ledger: Ledger, partner: str, journal: str, status: str = "live") -> Position:
    """How far the journal of that id is in the lake; `status` is that of its deliveries (a rehearsal covers nothing)."""
    ends = _ends(ledger, partner, journal, lambda one: one.status == status)
    return Position(
        max((until for _, until in ends), default=0), max((until for state, until in ends if state != State.PUBLISHED), default=0)
    )


def as_of(ledger: Ledger, partner: str, journal: str, loans: int | None, at: datetime) -> int:
    """How far the journal is in version `loans` of the lake's loans (None: there are none), which was read at or after `at`."""
    return max((until for _, until in _ends(ledger, partner, journal, lambda one: one.status == "live" and _in(one, loans, at))), default=0)


def _ends(ledger: Ledger, partner: str, journal: str, counts: Callable[[Delivery], bool]) -> list[tuple[State, int]]:
    """How far the newest deliveries that count reach, each with its state."""
    for limit in (_LOOK, 100 * _LOOK, 1_000_000_000):
        found = deliveries.find(ledger, partner=partner, flow=FLOW, states=_HELD, limit=limit)
        ends = [(one.state, until) for one in found if counts(one) and (until := _until(one, journal)) is not None]
        if ends or len(found) < limit:
            return ends
    return []


def _in(delivery: Delivery, loans: int | None, at: datetime) -> bool:
    done = delivery.facts.get("published", {}).get("loan")
    if done is not None:
        return loans is not None and int(done["version_after"]) <= loans
    return delivery.published_at is not None and delivery.published_at <= at  # it had no loans to tell of


def _until(delivery: Delivery, journal: str) -> int | None:
    said = delivery.facts.get("journal", {})
    return int(said["until"]) if delivery.origin is None and said.get("id") == journal and "until" in said else None
