"""Who did what: replays, dismissals, retractions, erasures, and every look at what is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import audit


@dataclass(frozen=True)
class AuditEntry:
    """One thing done: `subject` is a delivery's, key's or partner's id, or a pseudonym, never a person's number."""

    id: int
    at: datetime
    who: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def record(
    ledger: Ledger, who: str, action: str, subject: str, detail: Mapping[str, Any] | None = None, *, tx: sa.Connection | None = None
) -> None:
    """Enter that `who` did `action` to `subject`. Entries are never changed."""
    with ledger.writing(tx) as tx:
        row = {"at": clock.now(), "who": who, "action": action, "subject": subject, "detail": dict(detail or {})}
        tx.execute(sa.insert(audit).values(row))


def find(
    ledger: Ledger,
    *,
    who: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    limit: int = 500,
    tx: sa.Connection | None = None,
) -> list[AuditEntry]:
    """Entries that fit all that is asked, newest first."""
    a, asked = audit.c, {"who": who, "action": action, "subject": subject}
    query = sa.select(audit).where(*(a[name] == value for name, value in asked.items() if value is not None))
    if since is not None:
        query = query.where(a.at >= since)
    with ledger.reading(tx) as tx:
        return [AuditEntry(**row._mapping) for row in tx.execute(query.order_by(a.id.desc()).limit(limit))]
