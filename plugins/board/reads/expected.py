"""What a partner said would come by now, and has not: from the calendar in its YAML and what the ledger has seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar

import sqlalchemy as sa

from include.engine.dispatch.calendar import GRACE
from include.engine.ledger.schema import delivery
from include.engine.partner.settings import DeliverySpec, InboxFlow, Partner, ScheduledFlow, spec_for
from include.engine.partner.when import last_due, next_due
from include.engine.storage.seen import composed
from plugins.board.reads.lanes import Newest

c = delivery.c
Line = tuple[str, str, str]
"""Partner, flow and table."""
LOOKED_THROUGH = 100
"""Files of a table that files of several names fill, among which the newest of one name is looked for."""
T = TypeVar("T")


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

    `newest` is what `lanes.newest` found: where the newest delivery of a line is the file itself, nothing more is asked of the ledger. What is not
    so is asked in one go, however many files are late.
    """
    known = {(one.partner, one.flow, one.lane): one for one in newest}
    open_: list[tuple[Line, InboxFlow, DeliverySpec, datetime, datetime]] = []
    for partner in partners:
        for name, flow in partner.flows.items():
            if not isinstance(flow, InboxFlow) or not flow.enabled:
                continue
            for spec in flow.deliveries:
                if spec.expected is None:
                    continue
                due, since = _moments(spec.expected, partner.timezone, now.replace(second=0, microsecond=0))
                line = partner.id, name, spec.table
                there = known.get(line)
                if there is None or there.seen_at < since or there.replay or not _is(flow, spec, there.path):
                    open_.append((line, flow, spec, due, since))
    alone = {line for line, flow, spec, _, _ in open_ if _alone(flow, spec)}
    came = _came(tx, alone, 1) | _came(tx, {line for line, *_ in open_} - alone, LOOKED_THROUGH)
    found: list[Missing] = []
    for line, flow, spec, due, since in open_:
        last = next((at for path, at in came.get(line, ()) if line in alone or _is(flow, spec, path)), None)
        if last is None or last < since:
            found.append(Missing(line[0], line[1], spec.table, spec.files, due, last))
    return found


@lru_cache(maxsize=4096)
def _moments(cron: str, zone: str, minute: datetime) -> tuple[datetime, datetime]:
    """When it was last due, a quarter of an hour's grace given, and since when its file may have come. Many partners share a calendar."""
    due = last_due(cron, zone, minute - GRACE)
    return due, last_due(cron, zone, due - timedelta(minutes=1)) + GRACE


def _came(tx: sa.Connection, lines: Collection[Line], most: int) -> dict[Line, list[tuple[str, datetime]]]:
    """Path and moment of the newest files of each line, at most so many of one, the newest first."""
    found: dict[Line, list[int]] = {}
    for some in _chunks(sorted(lines), 5_000):
        line = sa.values(*(sa.column(name, sa.Text) for name in ("partner", "flow", "lane"))).data(some).cte("line")
        mine = (c.partner == line.c.partner, c.flow == line.c.flow, c.lane == line.c.lane, c.origin.is_(None))
        last = sa.select(c.arrival).where(*mine).order_by(c.arrival.desc()).limit(most).correlate(line).subquery()
        arrivals = sa.select(sa.func.aggregate_strings(sa.cast(last.c.arrival, sa.Text), " ")).scalar_subquery()
        found |= {
            (partner, flow, lane): list(map(int, (listed or "").split()))
            for partner, flow, lane, listed in tx.execute(sa.select(line, arrivals))
        }
    files: dict[int, tuple[str, datetime]] = {}
    for asked in _chunks([arrival for arrivals in found.values() for arrival in arrivals], 10_000):
        rows = tx.execute(sa.select(c.arrival, c.path, c.seen_at).where(c.arrival.in_(asked)))
        files |= {arrival: (path or "", at) for arrival, path, at in rows}
    return {line: [files[arrival] for arrival in sorted(arrivals, reverse=True)] for line, arrivals in found.items()}


def _chunks(of: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (of[start : start + size] for start in range(0, len(of), size))


def _alone(flow: InboxFlow, spec: DeliverySpec) -> bool:
    """Whether the files of `spec` are the only ones that fill its table."""
    return sum(other.table == spec.table for other in flow.deliveries) == 1


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
