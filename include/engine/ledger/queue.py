"""The line in which the deliveries of one (partner, table) stand: one in flight, in order of arrival."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from include.engine.delivery import IN_FLIGHT, Delivery, State
from include.engine.ledger.database import Ledger
from include.engine.ledger.deliveries import from_row, row_of
from include.engine.ledger.schema import delivery

c, done = delivery.c, delivery.alias("done").c
_STOPPED = (State.BLOCKED, State.FAILED)
_DONE = (State.PUBLISHED, State.ACKNOWLEDGED)
_REPLAYED = sa.exists().where(done.root == c.root, done.arrival > c.arrival, done.state.in_(_DONE))


def in_the_way(tx: sa.Connection, row: sa.Row[Any]) -> str | None:
    """The id of the delivery that must go before `row` (a row of the delivery table), None when the way is free.

    1. Another of the (partner, lane) is in flight.
    2. An earlier one is still `seen`.
    3. `row` is `after_block: wait`, and an earlier one is blocked or failed, and was neither replayed with success nor dismissed, nor
       followed by one that was acknowledged.

    A replay or an approved run (it has an origin) stands outside the line: only 1 holds it up, since it is what the others wait for.
    """
    lane = sa.select(c.id).where(c.partner == row.partner, c.lane == row.lane, c.id != row.id)
    if (flying := tx.execute(lane.where(c.state.in_(IN_FLIGHT)).limit(1)).scalar()) is not None:
        return str(flying)
    if row.origin is not None:
        return None
    earlier = tx.execute(lane.where(c.state == State.SEEN, c.arrival < row.arrival).order_by(c.arrival).limit(1)).scalar()
    if earlier is not None or row.after_block != "wait":
        return earlier
    return _unresolved(tx, row)


def waits_for(ledger: Ledger, id: str, *, tx: sa.Connection | None = None) -> str | None:
    """The id of the delivery that a `seen` one waits for, None when it could be claimed now or is past that."""
    with ledger.reading(tx) as tx:
        row = row_of(tx, id)
        return in_the_way(tx, row) if row.state == State.SEEN else None


def next_in_line(ledger: Ledger, *, limit: int | None = None, tx: sa.Connection | None = None) -> list[Delivery]:
    """The first `seen` delivery of each (partner, table) that has none in flight, in order of arrival: what is worth a `claim`."""
    rank = sa.func.row_number().over(partition_by=(c.partner, c.lane), order_by=(c.origin.is_(None), c.arrival))
    seen = sa.select(c.id, c.partner, c.lane, rank.label("rank")).where(c.state == State.SEEN).subquery()
    flying = sa.select(c.partner, c.lane).where(c.state.in_(IN_FLIGHT)).distinct().subquery()
    free = (
        sa.select(seen.c.id)
        .outerjoin(flying, sa.and_(flying.c.partner == seen.c.partner, flying.c.lane == seen.c.lane))
        .where(seen.c.rank == 1, flying.c.partner.is_(None))
    )
    with ledger.reading(tx) as tx:
        return [from_row(row) for row in tx.execute(sa.select(delivery).where(c.id.in_(free)).order_by(c.arrival).limit(limit))]


def _unresolved(tx: sa.Connection, row: sa.Row[Any]) -> str | None:
    earlier = (c.partner == row.partner, c.lane == row.lane, c.arrival < row.arrival)
    sound = sa.select(sa.func.coalesce(sa.func.max(c.arrival), 0))
    sound = sound.where(*earlier, c.origin.is_(None), c.state.in_((State.ACKNOWLEDGED, State.RETRACTED)))
    stopped = sa.select(c.id).where(*earlier, c.state.in_(_STOPPED), c.dismissed_at.is_(None), sa.not_(_REPLAYED))
    since = tx.execute(sound).scalar_one()
    found: str | None = tx.execute(stopped.where(c.arrival > since).order_by(c.arrival.desc()).limit(1)).scalar()
    return found
