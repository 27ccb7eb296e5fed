"""What a partner said would come by a certain time, and has not: told once, as a delivery of its own that ends refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from include.engine.delivery import NewDelivery, delivery_id
from include.engine.dispatch.inboxes import Inbox
from include.engine.engine import Engine
from include.engine.ledger import deliveries, schedules
from include.engine.partner.settings import DeliverySpec, spec_for
from include.engine.partner.when import last_due
from include.engine.storage.seen import composed

GRACE = timedelta(minutes=15)
"""A file that comes at the last moment still has to be looked at twice."""
CODE = "FILE_EXPECTED"


def tell_missing(engine: Engine, inboxes: Iterable[Inbox], now: datetime) -> int:
    """Enter word of each file that was expected a quarter of an hour ago, and of which none has been seen since the time before; returns
    how many. An expectation that is seen for the first time waits for its next moment, and one that comes late is taken as any other."""
    known = {(one.partner, one.flow, one.name): one.last_due_at for one in schedules.find(engine.ledger)}
    told = 0
    for inbox in inboxes:
        for spec in inbox.flow.deliveries:
            if spec.expected is None:
                continue
            name = f"expected {spec.files}"
            due = last_due(spec.expected, inbox.partner.timezone, now - GRACE)
            before = known.get((inbox.partner.id, inbox.name, name))
            if before is None or before < due:
                told += _due(engine, inbox, spec, name, due, now, first=before is None)
    return told


def _due(engine: Engine, inbox: Inbox, spec: DeliverySpec, name: str, due: datetime, now: datetime, *, first: bool) -> bool:
    """Act on the moment `due`, once."""
    since = last_due(str(spec.expected), inbox.partner.timezone, due - timedelta(minutes=1)) + GRACE
    with engine.ledger.begin() as tx:
        if not schedules.mark(engine.ledger, inbox.partner.id, inbox.name, name, due, tx=tx) or first:
            return False
        found = deliveries.find(
            engine.ledger, partner=inbox.partner.id, flow=inbox.name, table=spec.table, since=since, limit=1_000_000, tx=tx
        )
        if any(one.origin is None and spec_for(inbox.flow, composed((one.path or "").rpartition("/")[2])) is spec for one in found):
            return False
        deliveries.see(engine.ledger, _word(inbox, spec, due, now), tx=tx)
    return True


def _word(inbox: Inbox, spec: DeliverySpec, due: datetime, now: datetime) -> NewDelivery:
    at = due.astimezone(ZoneInfo(inbox.partner.timezone))
    return NewDelivery(
        id=delivery_id(inbox.partner.id, "overdue", due, spec.files, 0, 0, salt=f"{CODE} {inbox.name}"),
        partner=inbox.partner.id,
        flow=inbox.name,
        table="overdue",
        seen_at=now,
        status=inbox.partner.status,
        path=spec.files,
        after_block="continue",
        facts={"refused": CODE, "expected": f"{at:%Y-%m-%d %H:%M}"},
    )
