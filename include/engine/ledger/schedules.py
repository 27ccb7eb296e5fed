"""When each schedule of a partner was last acted on, so that what is due is started once and what was missed is seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import schedule_state


@dataclass(frozen=True)
class ScheduleState:
    """The last moment for which the schedule `name` of a partner's flow was acted on, and what came of it."""

    partner: str
    flow: str
    name: str
    last_due_at: datetime
    note: str | None


def get(ledger: Ledger, partner: str, flow: str, name: str, *, tx: sa.Connection | None = None) -> ScheduleState | None:
    """The state of a schedule; None when it was never acted on."""
    s = schedule_state.c
    with ledger.reading(tx) as tx:
        query = sa.select(schedule_state).where(s.partner == partner, s.flow == flow, s.name == name)
        row = tx.execute(query).one_or_none()
        return None if row is None else ScheduleState(**row._mapping)


def mark(
    ledger: Ledger, partner: str, flow: str, name: str, due_at: datetime, *, note: str | None = None, tx: sa.Connection | None = None
) -> bool:
    """Take the moment `due_at` for oneself: True for the one caller who is to act on it, False when it (or a later one) was taken."""
    s = schedule_state.c
    with ledger.writing(tx) as tx:
        ledger.lock(tx, f"schedule {partner}/{flow}/{name}")
        old = get(ledger, partner, flow, name, tx=tx)
        if old is not None and old.last_due_at >= due_at:
            return False
        values = {"last_due_at": due_at, "note": note}
        if old is None:
            tx.execute(sa.insert(schedule_state).values(partner=partner, flow=flow, name=name, **values))
        else:
            tx.execute(sa.update(schedule_state).where(s.partner == partner, s.flow == flow, s.name == name).values(values))
        return True


def find(ledger: Ledger, *, partner: str | None = None, tx: sa.Connection | None = None) -> list[ScheduleState]:
    """All schedules that were ever acted on."""
    query = sa.select(schedule_state).order_by(*schedule_state.primary_key)
    with ledger.reading(tx) as tx:
        rows = tx.execute(query if partner is None else query.where(schedule_state.c.partner == partner))
        return [ScheduleState(**row._mapping) for row in rows]
