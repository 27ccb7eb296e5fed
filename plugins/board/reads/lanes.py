"""The newest delivery of each line (partner, flow, table), and what waits or flies there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.engine.delivery import IN_FLIGHT, Delivery, State
from include.engine.ledger.deliveries import from_row
from include.engine.ledger.schema import delivery
from plugins.board.reads.costly import costly
from plugins.board.reads.scope import Partners, within

c = delivery.c
OVERDUE = "overdue"
"""The table of deliveries that only bring word of a file that has not come."""


@dataclass(frozen=True)
class Newest:
    """The newest delivery of one line, as far as an overview needs it."""

    id: str
    partner: str
    flow: str
    lane: str
    state: State
    reason: str | None
    dismissed: bool
    records: int
    seen_at: datetime
    touched_at: datetime
    path: str
    replay: bool

    @property
    def stopped(self) -> bool:
        """Whether it stopped, and nobody has said since that it is not coming."""
        return self.state in {State.BLOCKED, State.FAILED, State.HELD} and not self.dismissed


@dataclass(frozen=True)
class Queue:
    """How many deliveries of a partner's flow are seen and not begun, since when the oldest, and how many are at work."""

    waiting: int = 0
    since: datetime | None = None
    flying: int = 0
    silent_since: datetime | None = None


@costly
def newest(tx: sa.Connection, partners: Partners) -> list[Newest]:
    """One row a line; word of files that did not come is no line of its own."""
    last = sa.select(sa.func.max(c.arrival)).where(within(partners), c.table != OVERDUE).group_by(c.partner, c.flow, c.lane)
    columns = (c.id, c.partner, c.flow, c.lane, c.state, c.reason, c.dismissed_at, c.count_in, c.seen_at, c.touched_at, c.path, c.origin)
    rows = tx.execute(sa.select(*columns).where(c.arrival.in_(last)).order_by(c.partner, c.flow, c.lane))
    return [
        Newest(
            row.id,
            row.partner,
            row.flow,
            row.lane,
            State(row.state),
            row.reason,
            row.dismissed_at is not None,
            row.count_in,
            row.seen_at,
            row.touched_at,
            row.path or "",
            row.origin is not None,
        )
        for row in rows
    ]


def whole(tx: sa.Connection, ids: Sequence[str]) -> list[Delivery]:
    """All that the ledger has of these deliveries."""
    return [from_row(row) for row in tx.execute(sa.select(delivery).where(c.id.in_(ids)))] if ids else []


def queues(tx: sa.Connection, partners: Partners) -> dict[tuple[str, str], Queue]:
    """What waits and what is at work, by (partner, flow)."""
    live = [State.SEEN, *sorted(IN_FLIGHT)]
    columns = (c.partner, c.flow, c.state, sa.func.count(), sa.func.min(c.seen_at), sa.func.min(c.touched_at))
    rows = tx.execute(sa.select(*columns).where(within(partners), c.state.in_(live)).group_by(c.partner, c.flow, c.state))
    found: dict[tuple[str, str], Queue] = {}
    for partner, flow, state, number, since, touched in rows:
        old = found.get((partner, flow), Queue())
        if state == State.SEEN:
            found[partner, flow] = Queue(number, since, old.flying, old.silent_since)
        else:
            silent = touched if old.silent_since is None else min(touched, old.silent_since)
            found[partner, flow] = Queue(old.waiting, old.since, old.flying + number, silent)
    return found
