"""What stands still, as the UI shows it: partners with an error in their settings, and deliveries in flight to which nothing happens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import settings_error


@dataclass(frozen=True)
class Notice:
    """One error: in which partner's file, on which line (None when it is about the whole), and what is allowed there. For a delivery `file` is
    its id."""

    partner: str
    file: str
    line: int | None
    message: str


@dataclass(frozen=True)
class DatedNotice(Notice):
    """A notice and since when it stands."""

    at: datetime


def replace(ledger: Ledger, found: Iterable[Notice], *, tx: sa.Connection | None = None) -> None:
    """Make `found` the errors that there are now. Those that were there before keep their time; the mended ones go."""
    new = set(found)
    with ledger.writing(tx) as tx:
        ledger.lock(tx, "settings_error")
        rows = tx.execute(sa.select(settings_error)).all()
        old = {Notice(row.partner, row.file, row.line, row.message): row.id for row in rows}
        gone = [number for notice, number in old.items() if notice not in new]
        for number in gone:
            tx.execute(sa.delete(settings_error).where(settings_error.c.id == number))
        fresh = [
            asdict(one) | {"at": clock.now()} for one in sorted(new - set(old), key=lambda one: (one.file, one.line or 0, one.message))
        ]
        if fresh:
            tx.execute(sa.insert(settings_error), fresh)


def find(ledger: Ledger, *, partner: str | None = None, tx: sa.Connection | None = None) -> list[DatedNotice]:
    """The errors that stand, by file and line."""
    e = settings_error.c
    query = sa.select(e.partner, e.file, e.line, e.message, e.at).order_by(e.partner, e.file, sa.func.coalesce(e.line, 0), e.id)
    with ledger.reading(tx) as tx:
        return [DatedNotice(*row) for row in tx.execute(query if partner is None else query.where(e.partner == partner))]
