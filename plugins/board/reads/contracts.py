"""How the contracts fare: which versions judged deliveries, how often each rule held, from what the gates have entered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from include.engine import clock
from include.engine.ledger.schema import delivery, gate_result
from plugins.board.reads.costly import costly
from plugins.board.reads.scope import Partners, within

c, g = delivery.c, gate_result.c
SPAN = timedelta(days=30)


@dataclass(frozen=True)
class Fare:
    """One contract (or rule) in a span of time: deliveries it judged, those in which a rule was broken, those it stopped, and rows."""

    deliveries: int = 0
    broken: int = 0
    stopped: int = 0
    checked: int = 0
    failed: int = 0
    last: datetime | None = None

    @property
    def rate(self) -> float | None:
        """The share of deliveries in which nothing was broken; None before any was judged."""
        return None if not self.deliveries else 1 - self.broken / self.deliveries

    @property
    def row_rate(self) -> float | None:
        """The share of checked rows that kept the rule."""
        return None if not self.checked else 1 - self.failed / self.checked


@dataclass(frozen=True)
class Version:
    """A version of a contract as the ledger knows it: from when to when it judged, and how many deliveries. Of those whose history is not kept
    any more only the ones in which it was broken count."""

    version: str
    since: datetime
    until: datetime
    deliveries: int


@dataclass(frozen=True)
class Broken:
    """A delivery in which a contract was broken."""

    id: str
    partner: str
    seen_at: datetime
    rules: int
    stopped: bool


_JOINED = delivery.join(gate_result, g.delivery_id == c.id)
_STOPS = sa.case((sa.or_(g.passed, g.severity == "warn"), 0), else_=1)
"""A rule that only warns stops nothing, however many rows break it."""
_EACH = (
    g.contract,
    c.id,
    sa.func.max(sa.case((g.failed > 0, 1), else_=0)).label("broken"),
    sa.func.max(_STOPS).label("stopped"),
    sa.func.max(c.seen_at).label("seen_at"),
)


@costly
def fares(tx: sa.Connection, partners: Partners, *, span: timedelta = SPAN) -> dict[str, Fare]:
    """Each contract's last days."""
    each = (
        sa.select(*_EACH)
        .select_from(_JOINED)
        .where(within(partners), c.seen_at >= clock.now() - span)
        .group_by(g.contract, c.id)
        .subquery()
    )
    columns = (each.c.contract, sa.func.count(), sa.func.sum(each.c.broken), sa.func.sum(each.c.stopped), sa.func.max(each.c.seen_at))
    rows = tx.execute(sa.select(*columns).group_by(each.c.contract))
    return {row[0]: Fare(row[1], int(row[2]), int(row[3]), last=row[4]) for row in rows}


@costly
def rules(tx: sa.Connection, contract: str, partners: Partners, *, span: timedelta = SPAN) -> dict[str, Fare]:
    """Each rule of a contract in its last days."""
    columns = (
        g.rule,
        sa.func.count(),
        sa.func.sum(sa.case((g.failed > 0, 1), else_=0)),
        sa.func.sum(_STOPS),
        sa.func.sum(g.checked),
        sa.func.sum(g.failed),
    )
    query = sa.select(*columns).select_from(_JOINED).where(within(partners), g.contract == contract, c.seen_at >= clock.now() - span)
    found = {}
    for rule, *figures in tx.execute(query.group_by(g.rule)):
        judged, broken, stopped, checked, failed = (int(figure or 0) for figure in figures)
        found[rule] = Fare(judged, broken, stopped, checked, failed)
    return found


@costly
def versions(tx: sa.Connection, contract: str, partners: Partners) -> list[Version]:
    """Every version that ever judged a delivery, the newest first."""
    query = sa.select(g.version, sa.func.min(c.seen_at), sa.func.max(c.seen_at), sa.func.count(sa.distinct(c.id)))
    query = query.select_from(_JOINED).where(within(partners), g.contract == contract).group_by(g.version)
    found = [Version(*row) for row in tx.execute(query)]
    return sorted(found, key=lambda one: one.until, reverse=True)


@costly
def broken(tx: sa.Connection, contract: str, partners: Partners, *, limit: int = 20) -> list[Broken]:
    """The newest deliveries in which it was broken."""
    query = sa.select(c.id, c.partner, c.seen_at, sa.func.count(), sa.func.max(_STOPS)).select_from(_JOINED)
    query = query.where(within(partners), g.contract == contract, g.failed > 0, c.seen_at >= clock.now() - SPAN)
    query = query.group_by(c.id, c.partner, c.seen_at, c.arrival).order_by(c.arrival.desc()).limit(limit)
    return [Broken(row[0], row[1], row[2], row[3], bool(row[4])) for row in tx.execute(query)]


@costly
def daily(tx: sa.Connection, contract: str, partners: Partners) -> Sequence[tuple[date, int, int]]:
    """Day by day (UTC), the deliveries it judged and those in which it was broken; the last 30 days, oldest first."""
    each = sa.select(*_EACH).select_from(_JOINED).where(within(partners), g.contract == contract, c.seen_at >= clock.now() - SPAN)
    inner = each.group_by(g.contract, c.id).subquery()
    on = sa.func.date(inner.c.seen_at)
    rows = tx.execute(sa.select(on, sa.func.count(), sa.func.sum(inner.c.broken)).group_by(on))
    found = {date.fromisoformat(str(row[0])): (row[1], int(row[2])) for row in rows}
    today = clock.now().date()
    return [(day, *found.get(day, (0, 0))) for day in (today - timedelta(days=back) for back in range(SPAN.days - 1, -1, -1))]
