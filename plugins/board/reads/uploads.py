"""What became of a file that was dropped from the browser: in the inbox, waiting to be whole, or a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from include.engine.delivery import Delivery
from include.engine.ledger.audit import AuditEntry
from include.engine.ledger.deliveries import from_row
from include.engine.ledger.schema import audit, delivery, inbox_file, inbox_look
from plugins.board.reads.scope import Partners, within

LAST = 20


@dataclass(frozen=True)
class Dropped:
    """One file that was dropped: when, by whom, and its facts (flow, path, size, sha256, after: the arrival of the last delivery before it)."""

    id: int
    partner: str
    at: datetime
    who: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """How far a dropped file has come. `looked_at`: when its inbox was last read; `seen_at`: when the file was first seen in it."""

    delivery: Delivery | None
    seen_at: datetime | None
    looked_at: datetime | None


def last(tx: sa.Connection, partners: Partners) -> list[Dropped]:
    """The newest files dropped for the partners."""
    query = sa.select(audit).where(audit.c.action == "upload", within(partners, audit.c.subject)).order_by(audit.c.id.desc()).limit(LAST)
    return [_dropped(AuditEntry(**row._mapping)) for row in tx.execute(query)]


def find(tx: sa.Connection, partner: str, flow: str, sha256: str) -> Dropped | None:
    """The newest file of these bytes that was dropped for the flow."""
    query = sa.select(audit).where(audit.c.subject == partner, audit.c.action == "upload").order_by(audit.c.id.desc()).limit(500)
    found = (_dropped(AuditEntry(**row._mapping)) for row in tx.execute(query))
    return next((one for one in found if (one.facts.get("flow"), one.facts.get("sha256")) == (flow, sha256)), None)


def way(tx: sa.Connection, dropped: Dropped, inbox: str) -> Way:
    """How far the file has come. Its delivery is the first of its name that arrived after it: the times of both do not tell, see `drop`."""
    c, f = delivery.c, inbox_file.c
    flow, path, after = dropped.facts["flow"], dropped.facts["path"], dropped.facts.get("after")
    later = c.seen_at >= dropped.at if after is None else c.arrival > after  # None: it was dropped before this was noted
    query = sa.select(delivery).where(c.partner == dropped.partner, c.flow == flow, c.path == path, c.origin.is_(None), later)
    row = tx.execute(query.order_by(c.arrival).limit(1)).one_or_none()
    place = (f.partner == dropped.partner, f.flow == flow, f.inbox == inbox)
    looked = sa.select(inbox_look.c.looked_at).where(
        inbox_look.c.partner == dropped.partner, inbox_look.c.flow == flow, inbox_look.c.inbox == inbox
    )
    return Way(
        from_row(row) if row is not None else None,
        tx.execute(sa.select(f.first_seen_at).where(*place, f.path == path)).scalar_one_or_none(),
        tx.execute(looked).scalar_one_or_none(),
    )


def _dropped(entry: AuditEntry) -> Dropped:
    return Dropped(entry.id, entry.subject, entry.at, entry.who, entry.detail)
