"""What a partner said would come by now, and has not: from the calendar in its YAML and what the ledger has seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import sqlalchemy as sa

from include.engine.dispatch.calendar import GRACE
from include.engine.ledger.schema import delivery
from include.engine.partner.settings import DeliverySpec, InboxFlow, Partner, ScheduledFlow, spec_for
from include.engine.partner.when import last_due, next_due
from include.engine.storage.seen import composed
from plugins.board.reads.lanes import Newest

c = delivery.c


@dataclass(frozen=True)
class Missing:
    """Files of one kind that were due at `due` (aware) and are not here; `last` is when the newest one came, if ever."""

    partner: str
    flow: str
    table: str
    files: str
    due: datetime
    last: datetime | None


@dataclass(frozen=True)
class Due:
    """The next moment at which something of a partner's flow is due: a file that they said would come, or a schedule of ours."""

    flow: str
    what: str
    at: datetime
    ours: bool


def missing(tx: sa.Connection, partners: Iterable[Partner], now: datetime, newest: Iterable[Newest] = ()) -> list[Missing]:
    """Every expectation whose moment has passed by a quarter of an hour, and of whose files none has come since the moment before.

    `newest` is what `lanes.newest` found: where the newest delivery of a line is the file itself, nothing more is asked of the ledger.
    """
    known = {(one.partner, one.flow, one.lane): one for one in newest}
    found: list[Missing] = []
    for partner in partners:
        for name, flow in partner.flows.items():
            if not isinstance(flow, InboxFlow) or not flow.enabled:
                continue
            for spec in flow.deliveries:
                if spec.expected is None:
                    continue
                due, since = _moments(spec.expected, partner.timezone, now.replace(second=0, microsecond=0))
                line = known.get((partner.id, name, spec.table))
                if line is not None and line.seen_at >= since and not line.replay and _is(flow, spec, line.path):
                    continue
                last = _last(tx, partner, name, flow, spec)
                if last is None or last < since:
                    found.append(Missing(partner.id, name, spec.table, spec.files, due, last))
    return found


@lru_cache(maxsize=4096)
def _moments(cron: str, zone: str, minute: datetime) -> tuple[datetime, datetime]:
    """When it was last due, a quarter of an hour's grace given, and since when its file may have come. Many partners share a calendar."""
    due = last_due(cron, zone, minute - GRACE)
    return due, last_due(cron, zone, due - timedelta(minutes=1)) + GRACE


def _last(tx: sa.Connection, partner: Partner, name: str, flow: InboxFlow, spec: DeliverySpec) -> datetime | None:
    """When the newest file of this kind came. Where a table has several kinds, the last hundred are looked through."""
    mine = (c.partner == partner.id, c.lane == spec.table, c.flow == name, c.origin.is_(None))
    newest = sa.select(c.path, c.seen_at).where(*mine).order_by(c.arrival.desc())
    alone = sum(other.table == spec.table for other in flow.deliveries) == 1
    rows = tx.execute(newest.limit(1 if alone else 100))
    return next((seen_at for path, seen_at in rows if alone or _is(flow, spec, path or "")), None)


def _is(flow: InboxFlow, spec: DeliverySpec, path: str) -> bool:
    return spec_for(flow, composed(path.rpartition("/")[2])) is spec


def next_moments(partner: Partner, now: datetime) -> list[Due]:
    """What is due next in each flow of the partner, the soonest first."""
    found: list[Due] = []
    for name, flow in partner.flows.items():
        if not flow.enabled:
            continue
        if isinstance(flow, ScheduledFlow):
            found += [Due(name, moment, next_due(cron, partner.timezone, now), True) for moment, cron in flow.moments().items()]
        elif isinstance(flow, InboxFlow):
            specs = [spec for spec in flow.deliveries if spec.expected]
            found += [Due(name, spec.files, next_due(str(spec.expected), partner.timezone, now), False) for spec in specs]
    return sorted(found, key=lambda one: one.at)
