"""The receipts of a delivery: where each is kept, in which language, and when it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import receipt


@dataclass(frozen=True)
class Receipt:
    """A receipt (`kind`: html, text, json, mail...) at `uri`; `sent_at` is None until the partner has it."""

    delivery_id: str
    kind: str
    uri: str
    language: str
    written_at: datetime
    sent_at: datetime | None


def add(
    ledger: Ledger,
    delivery_id: str,
    kind: str,
    uri: str,
    language: str,
    *,
    sent_at: datetime | None = None,
    tx: sa.Connection | None = None,
) -> None:
    """Enter a receipt that was written; the same one entered again is renewed, and stays sent if it was."""
    r = receipt.c
    this = (r.delivery_id == delivery_id, r.kind == kind, r.uri == uri)
    values = {"language": language, "written_at": clock.now()} | ({"sent_at": sent_at} if sent_at else {})
    with ledger.writing(tx) as tx:
        ledger.lock(tx, f"receipt {delivery_id}")
        if tx.execute(sa.update(receipt).where(*this).values(values)).rowcount == 0:
            tx.execute(sa.insert(receipt).values(delivery_id=delivery_id, kind=kind, uri=uri, **values))


def mark_sent(ledger: Ledger, delivery_id: str, kind: str, uri: str, at: datetime, *, tx: sa.Connection | None = None) -> bool:
    """Say when a receipt went out. False when it was said before, or there is none."""
    r = receipt.c
    this = (r.delivery_id == delivery_id, r.kind == kind, r.uri == uri, r.sent_at.is_(None))
    with ledger.writing(tx) as tx:
        return tx.execute(sa.update(receipt).where(*this).values(sent_at=at)).rowcount == 1


def of(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> list[Receipt]:
    """The receipts of a delivery, in the order in which they were first written."""
    r = receipt.c
    query = sa.select(r.delivery_id, r.kind, r.uri, r.language, r.written_at, r.sent_at).where(r.delivery_id == delivery_id).order_by(r.id)
    with ledger.reading(tx) as tx:
        return [Receipt(*row) for row in tx.execute(query)]
