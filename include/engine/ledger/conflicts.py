"""What a machine told a patron and the library system does not agree with: both sides, for staff, without a word of who it was.

A source (a sidecar's journal) numbers its conflicts. Entered again, one stays as it is; closed, it stays closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import conflict as table

c = table.c
KEPT = timedelta(days=90)
"""How long one that is closed can still be looked up, and one of a journal that was begun anew since still stands."""


@dataclass(frozen=True)
class Conflict:
    """One. `machine` and `system` are what either says; `explained` is the reason in the partner's language."""

    partner: str
    source: str
    number: int
    flow: str
    at: datetime
    terminal: str
    branch: str
    what: str
    item: str
    machine: str
    system: str
    reason: str
    explained: str


def enter(ledger: Ledger, partner: str, source: str, found: Iterable[Conflict], closed: Iterable[int] = ()) -> int:
    """Enter what is not there yet, close what staff are done with, and let go of what was closed long ago. Returns how many are new."""
    wanted, done = {one.number: one for one in found}, set(closed)
    if not wanted and not done:
        return 0
    own = sa.and_(c.partner == partner, c.source == source)
    with ledger.writing(None) as tx:
        ledger.lock(tx, f"conflict {partner}")
        known = set(tx.execute(sa.select(c.number).where(own, c.number.in_(sorted(wanted)))).scalars())
        new = [asdict(one) | {"closed_at": None} for number, one in sorted(wanted.items()) if number not in known]
        if new:
            tx.execute(sa.insert(table), new)
        if done:
            tx.execute(sa.update(table).where(own, c.number.in_(sorted(done)), c.closed_at.is_(None)).values(closed_at=clock.now()))
        long_ago = clock.now() - KEPT
        of_another = sa.and_(c.source != source, c.at < long_ago)  # a journal that is no more: nobody can close them
        tx.execute(sa.delete(table).where(c.partner == partner, sa.or_(c.closed_at < long_ago, of_another)))
    return len(new)


def standing(ledger: Ledger, *, partner: str | None = None, limit: int = 500, tx: sa.Connection | None = None) -> list[Conflict]:
    """Those that nobody has closed, the oldest first."""
    query = sa.select(*(column for column in c if column.name != "closed_at")).where(c.closed_at.is_(None)).order_by(c.at, c.number)
    with ledger.reading(tx) as tx:
        rows = tx.execute((query if partner is None else query.where(c.partner == partner)).limit(limit))
        return [Conflict(**row._mapping) for row in rows]


@dataclass(frozen=True)
class Heap:
    """How many stand, and since when the oldest does."""

    count: int
    since: datetime


def heaps(ledger: Ledger, *, tx: sa.Connection | None = None) -> dict[tuple[str, str], Heap]:
    """What stands, by (partner, flow)."""
    query = sa.select(c.partner, c.flow, sa.func.count().label("count"), sa.func.min(c.at).label("at")).where(c.closed_at.is_(None))
    with ledger.reading(tx) as tx:
        return {(row.partner, row.flow): Heap(row[2], row.at) for row in tx.execute(query.group_by(c.partner, c.flow))}
