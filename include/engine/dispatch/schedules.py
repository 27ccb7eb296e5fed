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
    started = 0
    for partner in partners:
        for name, flow in partner.flows.items():
            if not isinstance(flow, ScheduledFlow) or not flow.enabled:
                continue
            started += sum(_start(engine, partner, name, flow, moment, cron, now) for moment, cron in flow.moments().items())
    return started


def _start(engine: Engine, partner: Partner, name: str, flow: ScheduledFlow, moment: str, cron: str, now: datetime) -> bool:
    due = last_due(cron, partner.timezone, now)
    known = schedules.get(engine.ledger, partner.id, name, moment)
    with engine.ledger.begin() as tx:
        if not schedules.mark(engine.ledger, partner.id, name, moment, due, tx=tx) or known is None:
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
