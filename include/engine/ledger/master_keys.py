"""Which master key wraps the data keys: nothing is noted until it is changed for the first time; then the newest row says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import master_key as table

_LOCK = "master key"


@dataclass(frozen=True)
class MasterRow:
    """A master key that counts, or counted. `done_at` is None while data keys are still wrapped under the one before."""

    number: int
    fingerprint: str
    begun_at: datetime
    done_at: datetime | None


def lock(ledger: Ledger, tx: sa.Connection) -> None:
    """Until the end of `tx` no data key is made, and no change of the master key begins or ends, but in it."""
    ledger.lock(tx, _LOCK)


def every(ledger: Ledger, *, tx: sa.Connection | None = None) -> list[MasterRow]:
    """All of them, oldest first; none where the master key was never changed."""
    with ledger.reading(tx) as tx:
        return [MasterRow(**row._mapping) for row in tx.execute(sa.select(table).order_by(table.c.number))]


def current(ledger: Ledger, *, tx: sa.Connection | None = None) -> MasterRow | None:
    """The one under which data keys are wrapped from now on."""
    with ledger.reading(tx) as tx:
        row = tx.execute(sa.select(table).order_by(table.c.number.desc()).limit(1)).one_or_none()
        return None if row is None else MasterRow(**row._mapping)


def begin(ledger: Ledger, before: str, after: str, *, tx: sa.Connection) -> None:
    """From now on `after` counts; where nothing is noted yet, `before` is what counted until now."""
    rows, now = every(ledger, tx=tx), clock.now()
    if not rows:
        tx.execute(sa.insert(table).values(number=0, fingerprint=before, begun_at=now, done_at=now))
    tx.execute(sa.insert(table).values(number=rows[-1].number + 1 if rows else 1, fingerprint=after, begun_at=now))


def done(ledger: Ledger, fingerprint: str, *, tx: sa.Connection) -> None:
    """No data key is wrapped under another any more."""
    tx.execute(sa.update(table).where(table.c.fingerprint == fingerprint).values(done_at=clock.now()))
