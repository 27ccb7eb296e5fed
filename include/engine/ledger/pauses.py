"""Partners, or single flows of theirs, that a person has paused: dispatch looks for nothing and starts nothing there until they go on.

What is in flight goes on to its end; what was seen already keeps its place in the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger import audit
from include.engine.ledger.database import Ledger
from include.engine.ledger.inbox import InboxLook
from include.engine.ledger.schema import pause as table
from include.engine.partner.settings import FlowSettings, Partner

c = table.c


@dataclass(frozen=True)
class Pause:
    """Who paused what, and when. `flow` is empty for every flow of the partner."""

    partner: str
    flow: str
    at: datetime
    who: str


def pause(ledger: Ledger, partner: str, flow: str, who: str, *, tx: sa.Connection | None = None) -> bool:
    """Pause a partner's flow (empty: all of them), and write the audit. False when it is paused already."""
    with ledger.writing(tx) as tx:
        ledger.lock(tx, f"pause {partner}/{flow}")
        if tx.execute(sa.select(c.who).where(c.partner == partner, c.flow == flow)).first():
            return False
        tx.execute(sa.insert(table).values(partner=partner, flow=flow, at=clock.now(), who=who))
        audit.record(ledger, who, "pause", partner, {"flow": flow}, tx=tx)
        return True


def resume(ledger: Ledger, partner: str, flow: str, who: str, *, tx: sa.Connection | None = None) -> bool:
    """Let it go on, and write the audit. False when it was not paused."""
    with ledger.writing(tx) as tx:
        if tx.execute(sa.delete(table).where(c.partner == partner, c.flow == flow)).rowcount == 0:
            return False
        audit.record(ledger, who, "resume", partner, {"flow": flow}, tx=tx)
        return True


def find(ledger: Ledger, *, tx: sa.Connection | None = None) -> dict[tuple[str, str], Pause]:
    """All pauses there are, by (partner, flow)."""
    with ledger.reading(tx) as tx:
        rows = tx.execute(sa.select(table).order_by(c.partner, c.flow))
        return {(row.partner, row.flow): Pause(**row._mapping) for row in rows}


def of(pauses: Mapping[tuple[str, str], Pause], partner: str, flow: str) -> Pause | None:
    """The pause that holds for a partner's flow: its own, or that of the whole partner."""
    return pauses.get((partner, flow)) or pauses.get((partner, ""))


def without(partners: Iterable[Partner], pauses: Mapping[tuple[str, str], Pause]) -> list[Partner]:
    """The partners with each flow that is paused switched off."""
    return [
        one.model_copy(update={"flows": {name: _off(flow) if of(pauses, one.id, name) else flow for name, flow in one.flows.items()}})
        if any(partner == one.id for partner, _ in pauses)
        else one
        for one in partners
    ]


def others(looks: Iterable[InboxLook], pauses: Mapping[tuple[str, str], Pause]) -> list[InboxLook]:
    """The looks at inboxes that nobody has paused. One that failed before a pause fails no longer: nobody looks into it."""
    return [one for one in looks if of(pauses, one.partner, one.flow) is None]


def _off(flow: FlowSettings) -> FlowSettings:
    return flow.model_copy(update={"enabled": False})
