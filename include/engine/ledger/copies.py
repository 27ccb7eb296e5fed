"""What of a delivery lies outside the lake (snapshots) or has left the house (uploads): an erasure has to name each of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import outbound_copy


@dataclass(frozen=True)
class OutboundCopy:
    """One copy, since when, and whose."""

    delivery_id: str
    uri: str
    at: datetime


def add(ledger: Ledger, delivery_id: str, uris: Iterable[str], *, tx: sa.Connection | None = None) -> None:
    """Enter copies; one that is known keeps its time."""
    rows = [{"delivery_id": delivery_id, "uri": uri, "at": clock.now()} for uri in uris]
    if rows:
        insert = sqlite.insert(outbound_copy) if ledger.sqlite else postgresql.insert(outbound_copy)
        with ledger.writing(tx) as tx:
            tx.execute(insert.on_conflict_do_nothing(), rows)


def find(
    ledger: Ledger,
    *,
    delivery_id: str | None = None,
    uri_starts: str | None = None,
    before: datetime | None = None,
    tx: sa.Connection | None = None,
) -> list[OutboundCopy]:
    """Copies that fit all that is asked, oldest first."""
    o = outbound_copy.c
    query = sa.select(outbound_copy).order_by(o.at, o.uri)
    if delivery_id is not None:
        query = query.where(o.delivery_id == delivery_id)
    if uri_starts is not None:
        query = query.where(o.uri.startswith(uri_starts, autoescape=True))
    if before is not None:
        query = query.where(o.at < before)
    with ledger.reading(tx) as tx:
        return [OutboundCopy(**row._mapping) for row in tx.execute(query)]


def forget(ledger: Ledger, delivery_id: str, uri: str, *, tx: sa.Connection | None = None) -> bool:
    """Say that a copy is gone. False when it was not known."""
    o = outbound_copy.c
    with ledger.writing(tx) as tx:
        return tx.execute(sa.delete(outbound_copy).where(o.delivery_id == delivery_id, o.uri == uri)).rowcount == 1
