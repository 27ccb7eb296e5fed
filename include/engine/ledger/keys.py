"""The rows behind the key store: data keys, wrapped under the master key, until they are destroyed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep

import sqlalchemy as sa

from include.engine import clock
from include.engine.errors import Unreachable
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import delivery, key

_CHECKPOINT_SECONDS = 5.0
"""How long another connection's checkpoint is waited for; a reader that stands in the way is waited for longer, by SQLite itself."""


@dataclass(frozen=True)
class KeyRow:
    """A data key: `wrapped` is None once it is destroyed; `subject` is what it seals, such as a delivery's id."""

    key_id: str
    purpose: str
    subject: str
    wrapped: bytes | None
    created_at: datetime
    destroyed_at: datetime | None
    why: str | None

    def __repr__(self) -> str:
        alive = "alive" if self.destroyed_at is None else "destroyed"
        return f"KeyRow({self.key_id!r}, {self.purpose!r}, {self.subject!r}, {alive})"


def add(ledger: Ledger, key_id: str, purpose: str, subject: str, wrapped: bytes, *, tx: sa.Connection | None = None) -> None:
    """Enter a new wrapped key."""
    with ledger.writing(tx) as tx:
        row = {"key_id": key_id, "purpose": purpose, "subject": subject, "wrapped": wrapped, "created_at": clock.now()}
        tx.execute(sa.insert(key).values(row))


def get(ledger: Ledger, key_id: str, *, tx: sa.Connection | None = None) -> KeyRow | None:
    """The key's row, also of one that is destroyed; None when there never was one."""
    with ledger.reading(tx) as tx:
        row = tx.execute(sa.select(key).where(key.c.key_id == key_id)).one_or_none()
        return None if row is None else KeyRow(**row._mapping)


def find(
    ledger: Ledger,
    *,
    purpose: str | None = None,
    subject: str | None = None,
    alive: bool | None = True,
    created_before: datetime | None = None,
    why: str | None = None,
    tx: sa.Connection | None = None,
) -> list[KeyRow]:
    """Keys that fit all that is asked, oldest first; `alive=None` for destroyed ones too. `why` is the word they were destroyed with."""
    k, asked = key.c, {"purpose": purpose, "subject": subject, "why": why}
    query = sa.select(key).where(*(k[name] == value for name, value in asked.items() if value is not None))
    if alive is not None:
        query = query.where(k.destroyed_at.is_(None) if alive else k.destroyed_at.is_not(None))
    if created_before is not None:
        query = query.where(k.created_at < created_before)
    with ledger.reading(tx) as tx:
        return [KeyRow(**row._mapping) for row in tx.execute(query.order_by(k.created_at, k.key_id))]


def of_deliveries(ledger: Ledger, purpose: str, *, tx: sa.Connection | None = None) -> dict[str, list[str]]:
    """Ids of the deliveries that have a key of this purpose alive, by partner, in the order of arrival."""
    d, found = delivery.c, defaultdict[str, list[str]](list)
    query = sa.select(d.partner, d.id).join(key, key.c.subject == d.id).where(key.c.purpose == purpose, key.c.destroyed_at.is_(None))
    with ledger.reading(tx) as tx:
        for row in tx.execute(query.order_by(d.arrival)):
            found[row.partner].append(row.id)
    return dict(found)


def after(ledger: Ledger, key_id: str, limit: int, *, tx: sa.Connection | None = None) -> list[KeyRow]:
    """At most `limit` keys alive whose ids follow `key_id`, in the order of their ids."""
    query = sa.select(key).where(key.c.key_id > key_id, key.c.wrapped.is_not(None)).order_by(key.c.key_id).limit(limit)
    with ledger.reading(tx) as tx:
        return [KeyRow(**row._mapping) for row in tx.execute(query)]


def rewrap(ledger: Ledger, row: KeyRow, wrapped: bytes, *, tx: sa.Connection) -> bool:
    """Put `wrapped` in the place of what `row` holds. False, and nothing happens, when the key was destroyed or wrapped anew meanwhile."""
    same = sa.update(key).where(key.c.key_id == row.key_id, key.c.wrapped == row.wrapped)
    return tx.execute(same.values(wrapped=wrapped)).rowcount == 1


def destroy(ledger: Ledger, key_id: str, why: str, *, tx: sa.Connection | None = None) -> bool:
    """Overwrite the wrapped key with NULL. False when it was destroyed before (its first reason stays) or never was.

    The bytes are out of the table at once; `scrub`, after the transaction, takes them out of the database's files too.
    """
    query = sa.update(key).where(key.c.key_id == key_id, key.c.destroyed_at.is_(None))
    with ledger.writing(tx) as tx:
        return tx.execute(query.values(wrapped=None, destroyed_at=clock.now(), why=why)).rowcount == 1


def scrub(ledger: Ledger) -> None:
    """Take destroyed keys out of the database's own files: SQLite's write-ahead log (freed pages are zeroed as they are freed),
    PostgreSQL's dead rows. Raises Unreachable when a reader stands in the way for a minute.

    PostgreSQL's archived log and backups are beyond it: they must be shorter-lived than the promise made to a patron.
    """
    with ledger.autocommit() as connection:
        if not ledger.sqlite:
            connection.exec_driver_sql('VACUUM FULL "key"')
            return
        # It waits for readers by itself, but not while another connection's own checkpoint is under way: then it says busy at once.
        deadline = monotonic() + _CHECKPOINT_SECONDS
        while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
            if monotonic() > deadline:
                raise Unreachable("the ledger's log could not be emptied: somebody reads it.", do="It is done already; scrub again later.")
            sleep(0.05)
