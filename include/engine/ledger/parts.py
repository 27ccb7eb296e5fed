"""What an outbound delivery is made of, part by part (a file, a request), and how far each has got: rendered, begun, done.

A part that is `binding` is one that the receiver may act on as soon as its first byte is there. From the beginning of the first such part on
the delivery's content is fixed: it is neither selected nor rendered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import State, Token
from include.engine.errors import WrongState
from include.engine.ledger import claims
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import delivery, outbound_part

p = outbound_part.c


@dataclass(frozen=True)
class Part:
    """One part. `rank` is its place in the order of sending (from 0), `path` where it lies, sealed, below Bindery's home; `size` (bytes) and
    `sha256` are of its plain bytes, `records` how many source records are in it. `facts` is what the connector noted of it."""

    delivery_id: str
    rank: int
    name: str
    binding: bool
    path: str
    size: int
    sha256: str
    records: int = 0
    begun_at: datetime | None = None
    done_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def put(ledger: Ledger, token: Token, parts: Iterable[Part], *, tx: sa.Connection | None = None) -> None:
    """Enter the parts that a try has rendered, in place of an earlier try's. StaleToken; WrongState when a binding one has begun."""
    with ledger.writing(tx) as tx:
        claims.check(ledger, token, tx=tx)
        if fixed(ledger, token.delivery_id, tx=tx):
            raise WrongState("part of this delivery may have left already.", where=token.delivery_id, do="It is sent as it is.")
        tx.execute(sa.delete(outbound_part).where(p.delivery_id == token.delivery_id))
        rows = [asdict(one) for one in parts]
        if rows:
            tx.execute(sa.insert(outbound_part), rows)


def of(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> list[Part]:
    """A delivery's parts, in the order in which they are sent."""
    with ledger.reading(tx) as tx:
        rows = tx.execute(sa.select(outbound_part).where(p.delivery_id == delivery_id).order_by(p.rank))
        return [Part(**row._mapping) for row in rows]


def begin(ledger: Ledger, token: Token, rank: int, *, tx: sa.Connection | None = None) -> Part:
    """Note, before its first byte leaves, that a part may have left. StaleToken when a newer try has taken over."""
    with ledger.writing(tx) as tx:
        before = _one(tx, token.delivery_id, rank)
        return _mark(ledger, token, rank, tx, begun_at=before.begun_at or clock.now())


def done(ledger: Ledger, token: Token, rank: int, *, tx: sa.Connection | None = None, **facts: Any) -> Part:
    """Note that the receiver has a part whole. `facts` are added to the part's own."""
    with ledger.writing(tx) as tx:
        at = clock.now()
        before = _one(tx, token.delivery_id, rank)
        return _mark(ledger, token, rank, tx, begun_at=before.begun_at or at, done_at=at, facts={**before.facts, **facts})


def note(ledger: Ledger, token: Token, rank: int, *, tx: sa.Connection | None = None, **facts: Any) -> Part:
    """Add to a part's facts while it is under way: what the receiver calls it, so that a later try can ask for it by that name."""
    with ledger.writing(tx) as tx:
        before = _one(tx, token.delivery_id, rank)
        return _mark(ledger, token, rank, tx, facts={**before.facts, **facts})


def fixed(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> bool:
    """Whether a binding part of the delivery has begun to leave, so that its content must stay as it is."""
    with ledger.reading(tx) as tx:
        query = sa.select(p.rank).where(p.delivery_id == delivery_id, p.binding, p.begun_at.is_not(None)).limit(1)
        return tx.execute(query).first() is not None


def in_doubt(ledger: Ledger, partner: str, lane: str, before: int, *, tx: sa.Connection | None = None) -> str | None:
    """The newest delivery of the line that arrived before `before`, has stopped, and may have been received all the same; None where
    there is none. One that a person has dismissed is in nobody's doubt any more."""
    d = delivery.c
    query = sa.select(d.id).where(d.partner == partner, d.lane == lane, d.arrival < before, d.dismissed_at.is_(None))
    query = query.where(d.state.in_([State.BLOCKED, State.HELD, State.FAILED]))
    begun = sa.exists().where(p.delivery_id == d.id, p.binding, p.begun_at.is_not(None))
    with ledger.reading(tx) as tx:
        found: str | None = tx.execute(query.where(begun).order_by(d.arrival.desc()).limit(1)).scalar()
        return found


def _mark(ledger: Ledger, token: Token, rank: int, tx: sa.Connection | None, **values: Any) -> Part:
    with ledger.writing(tx) as tx:
        claims.check(ledger, token, tx=tx)
        mine = (p.delivery_id == token.delivery_id, p.rank == rank)
        tx.execute(sa.update(outbound_part).where(*mine).values(**values))
        return _one(tx, token.delivery_id, rank)


def _one(tx: sa.Connection, delivery_id: str, rank: int) -> Part:
    row = tx.execute(sa.select(outbound_part).where(p.delivery_id == delivery_id, p.rank == rank)).one_or_none()
    if row is None:
        raise WrongState(f"this delivery has no part {rank}.", where=delivery_id, do="Clear its task render.")
    return Part(**row._mapping)
