"""The history of deliveries that are long over: what happened to them step by step, and the rules that held.

The deliveries themselves stay, one row each: by them bytes that come again are known for what they are, rows of the lake are traced and a
harvest knows what it has. A rule that was broken stays too: how often that happened is counted from the beginning.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from include.engine.delivery import State
from include.engine.ledger.database import Ledger
from include.engine.ledger.quarantined import Fate
from include.engine.ledger.schema import delivery, delivery_event, gate_result, key, quarantined

d, e, g = delivery.c, delivery_event.c, gate_result.c


def forget(ledger: Ledger, before: datetime, *, sealed: Collection[str], most: int = 500) -> int:
    """Forget the history of what was last touched before `before`; returns of how many deliveries.

    Left alone is one that is not over (held, blocked or failed, and not dismissed), that has records waiting in quarantine, or a key of one of
    the purposes `sealed`: its bytes are still kept. Nobody waits long for it: `most` deliveries make a transaction.
    """
    gone, last = 0, 0
    while True:
        with ledger.begin() as tx:
            found = tx.execute(_over(before, sealed).where(d.arrival > last).order_by(d.arrival).limit(most)).all()
            if not found:
                return gone
            ids, last = [row.id for row in found], found[-1].arrival
            tx.execute(sa.delete(delivery_event).where(e.delivery_id.in_(ids)))
            tx.execute(sa.delete(gate_result).where(g.delivery_id.in_(ids), g.passed, g.failed == 0))
            gone += len(ids)


def whole(ledger: Ledger, id: str, *, tx: sa.Connection | None = None) -> bool:
    """Whether the history of the delivery `id` is there from its beginning on."""
    query = sa.select(e.id).where(e.delivery_id == id, e.kind == "seen").limit(1)
    with ledger.reading(tx) as tx:
        return tx.execute(query).first() is not None


def _over(before: datetime, sealed: Collection[str]) -> sa.Select[tuple[str, int]]:
    """Deliveries that are long over, and still have a history."""
    ends = d.state.in_([State.ACKNOWLEDGED, State.DUPLICATE, State.RETRACTED])
    waiting = sa.exists().where(quarantined.c.delivery_id == d.id, quarantined.c.state == Fate.OPEN)
    kept = sa.exists().where(key.c.purpose.in_(sealed), key.c.subject == d.id, key.c.destroyed_at.is_(None))
    query = sa.select(d.id, d.arrival).where(d.touched_at < before, sa.or_(ends, d.dismissed_at.is_not(None)))
    return query.where(sa.exists().where(e.delivery_id == d.id), ~waiting, ~kept)
