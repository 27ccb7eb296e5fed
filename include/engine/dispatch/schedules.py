"""Flows that start by the partner's clock: each moment is acted on once, and of several that were missed only the last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from include.engine.delivery import NewDelivery, delivery_id
from include.engine.engine import Engine
from include.engine.ledger import deliveries, schedules
from include.engine.partner.settings import Partner, ScheduledFlow
from include.engine.partner.when import last_due

NAME = "schedule"


def start_due(engine: Engine, partners: Iterable[Partner], now: datetime) -> int:
    """Enter a delivery for each scheduled flow that has become due; returns how many. A schedule seen for the first time waits for its next moment."""
    known = {(one.partner, one.flow, one.name): one.last_due_at for one in schedules.find(engine.ledger)}
    started = 0
    for partner in partners:
        for name, flow in partner.flows.items():
            if not isinstance(flow, ScheduledFlow) or not flow.enabled:
                continue
            for moment, cron in flow.moments().items():
                due, before = last_due(cron, partner.timezone, now), known.get((partner.id, name, moment))
                if before is None or before < due:
                    started += _start(engine, partner, name, flow, moment, due, now, first=before is None)
    return started


def _start(
    engine: Engine, partner: Partner, name: str, flow: ScheduledFlow, moment: str, due: datetime, now: datetime, *, first: bool
) -> bool:
    """Act on the moment `due`, once."""
    with engine.ledger.begin() as tx:
        if not schedules.mark(engine.ledger, partner.id, name, moment, due, tx=tx) or first:
            return False
        if flow.idle(engine.home):
            return False
        new = NewDelivery(
            id=delivery_id(partner.id, name, due, "", 0, 0, salt="" if moment == NAME else moment),
            partner=partner.id,
            flow=name,
            table=flow.table,
            seen_at=now,
            mode=flow.mode,
            status=partner.status,
            after_block=flow.after_block,
            facts={"due": due.isoformat(), "moment": moment},
        )
        deliveries.see(engine.ledger, new, tx=tx)
        return True
