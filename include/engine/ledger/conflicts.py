"""What a machine told a patron and the library system does not agree with: both sides, for staff, without a word of who it was.

A source (a sidecar's journal) numbers its conflicts, and has a list of its own of those that are open. One stands here until either is told that
it is done with: a person says so here (`deal`), or closes it at the source, whose journal brings it. Entered again, one stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger import audit
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import conflict as table

c = table.c
KEPT = timedelta(days=90)
"""How long one that is closed can still be looked up, and one of a journal that was begun anew since still stands."""
_STANDS = sa.and_(c.closed_at.is_(None), c.dealt_at.is_(None))


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


_OWN = [c[one.name] for one in fields(Conflict)]


def enter(ledger: Ledger, partner: str, source: str, found: Iterable[Conflict], closed: Iterable[int] = ()) -> int:
    """Enter what is not there yet, close what the source has closed, and let go of what was closed long ago. Returns how many are new.

    One that was dealt with here and is still open at the source is kept however old it is: the source lists it again and again, and would bring it back.
    """
    wanted, done = {one.number: one for one in found}, set(closed)
    if not wanted and not done:
        return 0
    own = sa.and_(c.partner == partner, c.source == source)
    with ledger.writing(None) as tx:
        ledger.lock(tx, f"conflict {partner}")
        known = set(tx.execute(sa.select(c.number).where(own, c.number.in_(sorted(wanted)))).scalars())
        new = [asdict(one) for number, one in sorted(wanted.items()) if number not in known]
        if new:
            tx.execute(sa.insert(table), new)
        if done:
            tx.execute(sa.update(table).where(own, c.number.in_(sorted(done)), c.closed_at.is_(None)).values(closed_at=clock.now()))
        long_ago = clock.now() - KEPT
        of_another = sa.and_(c.source != source, c.at < long_ago)  # a journal that is no more: nobody can close them
        tx.execute(sa.delete(table).where(c.partner == partner, sa.or_(c.closed_at < long_ago, of_another)))
    return len(new)


def deal(ledger: Ledger, partner: str, which: Collection[tuple[str, int]], who: str, note: str = "") -> int:
    """Note that `who` has dealt with these (source, number) of the partner's, each in the audit; `note` as `privacy.mask.noted` gives it. Returns
    how many stood until now: who says it second changes nothing."""
    with ledger.writing(None) as tx:
        ledger.lock(tx, f"conflict {partner}")
        done = 0
        for source, number in sorted(set(which)):
            this = sa.and_(c.partner == partner, c.source == source, c.number == number, _STANDS)
            said = {"dealt_at": clock.now(), "dealt_by": who, "dealt_note": note}
            if tx.execute(sa.update(table).where(this).values(said)).rowcount:
                audit.record(ledger, who, "close_conflict", partner, {"conflict": number, "source": source, "note": note}, tx=tx)
                done += 1
        return done


def standing(ledger: Ledger, *, partner: str | None = None, limit: int = 500, tx: sa.Connection | None = None) -> list[Conflict]:
    """Those that nobody has closed or dealt with, the oldest first."""
    query = sa.select(*_OWN).where(_STANDS).order_by(c.at, c.number)
    with ledger.reading(tx) as tx:
        rows = tx.execute((query if partner is None else query.where(c.partner == partner)).limit(limit))
        return [Conflict(**row._mapping) for row in rows]


def open_there(ledger: Ledger, partner: str, source: str, *, tx: sa.Connection | None = None) -> list[int]:
    """The numbers of those that were dealt with here, and that the source has not closed yet as far as is known."""
    query = sa.select(c.number).where(c.partner == partner, c.source == source, c.dealt_at.is_not(None), c.closed_at.is_(None))
    with ledger.reading(tx) as tx:
        return list(tx.execute(query.order_by(c.number)).scalars())


@dataclass(frozen=True)
class Done:
    """One that stands no more: since when, who said so on the board (None: it was closed at the source), and their note. `open_there`: the source
    still lists it."""

    conflict: Conflict
    at: datetime
    who: str | None
    note: str
    open_there: bool


def done(ledger: Ledger, partner: str, *, limit: int = 20, tx: sa.Connection | None = None) -> list[Done]:
    """The partner's that stand no more, the newest first, as long as they are kept."""
    at = sa.func.coalesce(c.dealt_at, c.closed_at)
    query = sa.select(table).where(c.partner == partner, sa.not_(_STANDS), at >= clock.now() - KEPT).order_by(at.desc(), c.number.desc())
    with ledger.reading(tx) as tx:
        return [
            Done(
                Conflict(**{column.name: row._mapping[column] for column in _OWN}),
                row.dealt_at or row.closed_at,
                row.dealt_by,
                row.dealt_note or "",
                row.closed_at is None,
            )
            for row in tx.execute(query.limit(limit))
        ]


@dataclass(frozen=True)
class Heap:
    """How many stand, and since when the oldest does."""

    count: int
    since: datetime


def heaps(ledger: Ledger, *, tx: sa.Connection | None = None) -> dict[tuple[str, str], Heap]:
    """What stands, by (partner, flow)."""
    query = sa.select(c.partner, c.flow, sa.func.count().label("count"), sa.func.min(c.at).label("at")).where(_STANDS)
    with ledger.reading(tx) as tx:
        return {(row.partner, row.flow): Heap(row[2], row.at) for row in tx.execute(query.group_by(c.partner, c.flow))}
