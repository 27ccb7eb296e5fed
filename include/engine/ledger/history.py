"""The history of deliveries that are long over: what happened to them step by step, the rules that held, what was set aside, and receipts.

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
from include.engine.ledger.schema import delivery, delivery_event, gate_result, key, quarantined, receipt

d, e, g, q, r = delivery.c, delivery_event.c, gate_result.c, quarantined.c, receipt.c
ROWS = 10_000
"""Records that are forgotten in one transaction: one delivery may have millions."""


def forget(ledger: Ledger, before: datetime, *, sealed: Collection[str], most: int = 500) -> int:
    """Forget the history of what was last touched before `before`; returns of how many deliveries.

    Left alone is one that is not over (held, blocked or failed, and not dismissed), that has records waiting in quarantine, or a key of one of
    the purposes `sealed`: its bytes are still kept. A record that was erased since `before` is left too: its erasure may still be counting.
    Nobody waits long for it: `most` deliveries make a transaction, and so do ROWS records.
    """
    closed = _closed(before, sealed)
    some = sa.or_(sa.exists().where(e.delivery_id == d.id), sa.exists().where(q.delivery_id == d.id, closed))
    over = _over(before, sealed).where(some).order_by(d.arrival).limit(most)
    gone, last = 0, 0
    while True:
        with ledger.read() as tx:
            found = tx.execute(over.where(d.arrival > last)).all()
        if not found:
            return gone
        records = sa.select(q.id).where(q.delivery_id.in_([row.id for row in found]), closed).limit(ROWS)
        while _delete(ledger, sa.delete(quarantined).where(q.id.in_(records))) == ROWS:
            ledger.breathe()
        with ledger.begin() as tx:  # one may have been opened again meanwhile: it is asked once more
            ids = tx.execute(_over(before, sealed).where(d.id.in_([row.id for row in found])).with_only_columns(d.id)).scalars().all()
            tx.execute(sa.delete(delivery_event).where(e.delivery_id.in_(ids)))
            tx.execute(sa.delete(gate_result).where(g.delivery_id.in_(ids), g.passed, g.failed == 0))
        gone, last = gone + len(ids), found[-1].arrival


def forget_receipts(
    ledger: Ledger, partner: str, before: datetime, *, seen_before: datetime, sealed: Collection[str], most: int = 500
) -> int:
    """Forget the mails and our own copies of the receipts of a partner's deliveries that are over as `forget` means it, and were seen before
    `seen_before`: by then those copies are gone. Returns how many rows went.

    The row of a file that lies with the partner stays: by it an erasure finds the file.
    """
    ours = sa.or_(r.kind.startswith("own ", autoescape=True), r.uri.startswith("mailto:", autoescape=True))
    over = _over(before, sealed).where(d.partner == partner, d.seen_at < seen_before).with_only_columns(d.id)
    some = sa.select(r.id).where(ours, r.delivery_id.in_(over)).limit(most)
    gone = 0
    while went := _delete(ledger, sa.delete(receipt).where(r.id.in_(some))):
        gone += went
    return gone


def whole(ledger: Ledger, id: str, *, tx: sa.Connection | None = None) -> bool:
    """Whether the history of the delivery `id` is there from its beginning on."""
    query = sa.select(e.id).where(e.delivery_id == id, e.kind == "seen").limit(1)
    with ledger.reading(tx) as tx:
        return tx.execute(query).first() is not None


def _delete(ledger: Ledger, query: sa.Delete) -> int:
    with ledger.begin() as tx:
        return tx.execute(query).rowcount


def _closed(before: datetime, sealed: Collection[str]) -> sa.ColumnElement[bool]:
    """Records that nobody has to decide on, and no erasure counts."""
    lately = sa.exists().where(key.c.purpose.in_(sealed), key.c.subject == q.delivery_id, key.c.destroyed_at >= before)
    return sa.and_(q.state != Fate.OPEN, sa.or_(q.state != Fate.ERASED, ~lately))


def _over(before: datetime, sealed: Collection[str]) -> sa.Select[tuple[str, int]]:
    """Deliveries that are long over."""
    ends = d.state.in_([State.ACKNOWLEDGED, State.DUPLICATE, State.RETRACTED])
    waiting = sa.exists().where(q.delivery_id == d.id, q.state == Fate.OPEN)
    kept = sa.exists().where(key.c.purpose.in_(sealed), key.c.subject == d.id, key.c.destroyed_at.is_(None))
    return sa.select(d.id, d.arrival).where(d.touched_at < before, sa.or_(ends, d.dismissed_at.is_not(None)), ~waiting, ~kept)
