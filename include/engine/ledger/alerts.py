"""Of what an address was told by mail: once, until it is over."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import alert

c = alert.c
Told = tuple[str, str]
"""Kind and subject."""


def told(ledger: Ledger, address: str, *, tx: sa.Connection | None = None) -> set[Told]:
    """Everything the address was told of and that is not over."""
    with ledger.reading(tx) as tx:
        return {(row.kind, row.subject) for row in tx.execute(sa.select(c.kind, c.subject).where(c.address == address))}


def tell(ledger: Ledger, address: str, what: Iterable[Told], *, tx: sa.Connection | None = None) -> None:
    """It was told of this."""
    rows = [{"address": address, "kind": kind, "subject": subject, "at": clock.now()} for kind, subject in what]
    if rows:
        with ledger.writing(tx) as tx:
            tx.execute(sa.insert(alert), rows)


def over(ledger: Ledger, address: str, what: Collection[Told], *, tx: sa.Connection | None = None) -> None:
    """This is over: when it comes again, it is told again."""
    if what:
        with ledger.writing(tx) as tx:
            for kind, subject in what:
                tx.execute(sa.delete(alert).where(c.address == address, c.kind == kind, c.subject == subject))
