"""The figures of an overview: records a day, what is set aside, and which rules were broken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import State
from include.engine.ledger.quarantined import Fate
from include.engine.ledger.schema import delivery, gate_result, quarantined
from plugins.board.reads.costly import costly
from plugins.board.reads.lanes import OVERDUE
from plugins.board.reads.scope import Partners, within

c, q, g = delivery.c, quarantined.c, gate_result.c
DAYS = 14


@dataclass(frozen=True)
class Day:
    """What came of a partner's flow on one day (UTC): deliveries, records, and how many deliveries were stopped."""

    day: date
    deliveries: int = 0
    records: int = 0
    stopped: int = 0


@dataclass(frozen=True)
class Aside:
    """Records that are set aside and still wait, and since when the oldest does."""

    records: int = 0
    since: datetime | None = None


@costly
def days(tx: sa.Connection, partners: Partners, *, last: int = DAYS) -> dict[tuple[str, str], list[Day]]:
    """The last days of each (partner, flow), oldest first, with a Day for those on which nothing came."""
    today = clock.now().date()
    wanted = [today - timedelta(days=back) for back in range(last - 1, -1, -1)]
    on = sa.func.date(c.seen_at)
    stopped = sa.func.sum(sa.case((c.state.in_([State.BLOCKED, State.FAILED]), 1), else_=0))
    query = sa.select(c.partner, c.flow, on, sa.func.count(), sa.func.sum(c.count_in), stopped)
    since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=last - 1)
    query = query.where(within(partners), c.seen_at >= since, c.table != OVERDUE).group_by(c.partner, c.flow, on)
    found: dict[tuple[str, str], dict[date, Day]] = {}
    for partner, flow, day, number, records, bad in tx.execute(query):
        one = date.fromisoformat(str(day))
        found.setdefault((partner, flow), {})[one] = Day(one, number, int(records or 0), int(bad or 0))
    return {key: [by_day.get(day, Day(day)) for day in wanted] for key, by_day in found.items()}


@costly
def aside(tx: sa.Connection, partners: Partners) -> dict[tuple[str, str], Aside]:
    """What waits in quarantine, by (partner, flow)."""
    query = sa.select(q.partner, q.flow, sa.func.count(), sa.func.min(q.at)).where(within(partners, q.partner), q.state == Fate.OPEN)
    return {(row[0], row[1]): Aside(int(row[2]), row[3]) for row in tx.execute(query.group_by(q.partner, q.flow))}


@costly
def broken_rules(tx: sa.Connection, partners: Partners, *, last: timedelta = timedelta(days=7)) -> dict[tuple[str, str], int]:
    """How many times a rule stopped a delivery in the last days, by (partner, flow)."""
    query = sa.select(c.partner, c.flow, sa.func.count()).select_from(delivery.join(gate_result, g.delivery_id == c.id))
    query = query.where(within(partners), c.seen_at >= clock.now() - last, sa.not_(g.passed)).group_by(c.partner, c.flow)
    return {(row[0], row[1]): int(row[2]) for row in tx.execute(query)}
