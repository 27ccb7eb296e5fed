"""The overview: each partner's flows with what a glance should tell, and everything that is wrong, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from include.engine import clock
from include.engine.alerts.standing import not_set_up, unreachable
from include.engine.delivery import Delivery, State
from include.engine.dispatch.look import SILENT_AFTER
from include.engine.ledger import Ledger, conflicts, inbox, notices, pauses
from include.engine.partner.loading import Partners
from plugins.board.reads import expected, figures, lanes
from plugins.board.reads.scope import Partners as Visible

Level = Literal["stop", "late", "wait", "flight", "done", "none"]
RANK: Mapping[str, int] = {"stop": 0, "late": 1, "wait": 2, "flight": 3, "done": 4, "none": 5}
OLD_ASIDE = timedelta(days=7)
"""Records that are set aside are normal; when nobody has seen to them for a week they are not."""
LONG_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong or waits for a person. `kind` names its sentence in words/overview.yaml, `values` fill it; `page` and `query` are
    where on the board it is seen to."""

    level: Level
    kind: str
    partner: str
    flow: str
    since: datetime | None
    page: str
    values: Mapping[str, Any]
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A partner's flow. `last` is None where nothing ever came."""

    partner: str
    flow: str
    enabled: bool
    paused: bool
    level: Level
    last: lanes.Newest | None
    queue: lanes.Queue
    aside: figures.Aside
    broken: int
    days: tuple[figures.Day, ...]
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True)
class Row:
    """A partner: id, name, time zone, and its cells by flow."""

    partner: str
    name: str
    zone: str
    status: str
    level: Level
    cells: Mapping[str, Cell]
    mistake: Trouble | None = None


@dataclass(frozen=True)
class Overview:
    """All of it; rows and troubles the worst first, flows that most partners have come first."""

    at: datetime
    flows: tuple[str, ...]
    rows: tuple[Row, ...]
    troubles: tuple[Trouble, ...]


def overview(ledger: Ledger, settled: Partners, visible: Visible) -> Overview:
    """What a viewer of the partners `visible` sees. `settled` holds the settings of those alone."""
    now = clock.now()
    with ledger.read() as tx:
        newest: dict[tuple[str, str], list[lanes.Newest]] = {}
        lines = lanes.newest(tx, visible)
        for one in lines:
            newest.setdefault((one.partner, one.flow), []).append(one)
        stopped = lanes.whole(tx, [one.id for one in lines if one.stopped])
        queues, days = lanes.queues(tx, visible), figures.days(tx, visible)
        aside, broken = figures.aside(tx, visible), figures.broken_rules(tx, visible)
        paused = pauses.find(ledger, tx=tx)
        missing = expected.missing(tx, pauses.without(settled.partners.values(), paused), now, lines)
        looks = [one for one in pauses.others(inbox.looks(ledger, tx=tx), paused) if visible is None or one.partner in visible]
        standing = [one for one in notices.find(ledger, tx=tx) if visible is None or one.partner in visible]
        heaps = {key: heap for key, heap in conflicts.heaps(ledger, tx=tx).items() if visible is None or key[0] in visible}
    keys = {(id, flow) for id, one in settled.partners.items() for flow in one.flows} | set(newest)
    troubles: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in [
        *_missing(missing),
        *_unreachable(looks),
        *_of_stopped(stopped),
        *_of_lines(queues, aside, now),
        *_conflicts(heaps),
    ]:
        troubles.setdefault((trouble.partner, trouble.flow), []).append(trouble)
    cells: dict[tuple[str, str], Cell] = {}
    for partner, flow in keys:
        key = partner, flow
        last = max(newest.get(key, ()), key=lambda one: one.seen_at, default=None)
        own = tuple(sorted(troubles.get(key, ()), key=_worst))
        settings = settled.partners[partner].flows.get(flow) if partner in settled.partners else None
        cells[key] = Cell(
            partner,
            flow,
            settings is not None and settings.enabled,
            pauses.of(paused, partner, flow) is not None,
            _level(own, last, queues.get(key)),
            last,
            queues.get(key, lanes.Queue()),
            aside.get(key, figures.Aside()),
            broken.get(key, 0),
            tuple(days.get(key, ())),
            own,
        )
    mistakes = _mistakes(standing) if visible is None else []
    everybody = {partner for partner, _ in keys} | {one.partner for one in mistakes} | set(settled.partners)
    rows = [_row(partner, settled, cells, mistakes) for partner in sorted(everybody)]
    users = Counter(flow for _, flow in keys)
    return Overview(
        now,
        tuple(sorted({flow for _, flow in keys}, key=lambda flow: (-users[flow], flow))),
        tuple(sorted(rows, key=lambda row: (RANK[row.level] > RANK["wait"], RANK[row.level], row.name.casefold()))),
        tuple(sorted([*mistakes, *(one for cell in cells.values() for one in cell.troubles)], key=_worst)),
    )


def _row(partner: str, settled: Partners, cells: Mapping[tuple[str, str], Cell], mistakes: list[Trouble]) -> Row:
    own = {flow: cell for (of, flow), cell in cells.items() if of == partner}
    levels = [cell.level for cell in own.values()] + [one.level for one in mistakes if one.partner == partner]
    known = settled.partners.get(partner)
    level: Level = min(levels, key=lambda one: RANK[one]) if levels else "none"
    mistake = next((one for one in mistakes if one.partner == partner), None)
    name, zone, status = (known.name, known.timezone, known.status) if known else (partner, "UTC", "")
    return Row(partner, name, zone, status, level, own, mistake)


def _level(troubles: tuple[Trouble, ...], last: lanes.Newest | None, queue: lanes.Queue | None) -> Level:
    if troubles:
        return troubles[0].level
    if queue is not None and queue.flying + queue.waiting:
        return "flight"
    return "none" if last is None else "done"


def _worst(trouble: Trouble) -> tuple[int, float]:
    return RANK[trouble.level], -(trouble.since.timestamp() if trouble.since else 0)


def _missing(found: list[expected.Missing]) -> list[Trouble]:
    """One word for each flow, however many of its files have not come."""
    by_flow: dict[tuple[str, str], list[expected.Missing]] = {}
    for one in sorted(found, key=lambda missing: missing.due):
        by_flow.setdefault((one.partner, one.flow), []).append(one)
    return [
        Trouble(
            "late",
            "missing" if any(one.last for one in many) else "missing_never",
            partner,
            flow,
            many[0].due,
            f"/partners/{partner}",
            {
                "count": len(many),
                "files": ", ".join(one.files for one in many),
                "due": many[0].due,
                "last": max((one.last for one in many if one.last), default=None),
            },
        )
        for (partner, flow), many in by_flow.items()
    ]


def _unreachable(looks: list[inbox.InboxLook]) -> list[Trouble]:
    return [
        Trouble(
            "stop",
            "not_set_up" if not_set_up(one) else "unreachable",
            one.partner,
            one.flow,
            one.looked_at,
            f"/partners/{one.partner}",
            {"count": one.failures},
        )
        for one in looks
        if unreachable(one)
    ]


def _of_stopped(stopped: Iterable[Delivery]) -> list[Trouble]:
    return [
        Trouble(
            "wait" if one.state == State.HELD else "stop",
            str(one.state),
            one.partner,
            one.flow,
            one.touched_at,
            f"/deliveries/{one.id}",
            {"table": one.lane, "delivery": one},
        )
        for one in stopped
    ]


def _of_lines(
    queues: Mapping[tuple[str, str], lanes.Queue], aside: Mapping[tuple[str, str], figures.Aside], now: datetime
) -> list[Trouble]:
    found: list[Trouble] = []
    for (partner, flow), queue in queues.items():
        query = {"partner": partner, "flow": flow}
        if queue.since is not None and now - queue.since > LONG_WAIT:
            values: dict[str, Any] = {"count": queue.waiting}
            found.append(Trouble("wait", "backlog", partner, flow, queue.since, "/deliveries", values, query | {"state": "seen"}))
        if queue.silent_since is not None and now - queue.silent_since > SILENT_AFTER:
            values = {"count": queue.flying}
            found.append(Trouble("stop", "stuck", partner, flow, queue.silent_since, "/deliveries", values, query | {"state": "flight"}))
    for (partner, flow), heap in aside.items():
        if heap.since is not None and now - heap.since > OLD_ASIDE:
            query = {"partner": partner, "flow": flow}
            found.append(Trouble("wait", "aside", partner, flow, heap.since, "/quarantine", {"count": heap.records}, query))
    return found


def _conflicts(heaps: Mapping[tuple[str, str], conflicts.Heap]) -> list[Trouble]:
    return [
        Trouble("wait", "conflicts", partner, flow, heap.since, f"/partners/{partner}", {"count": heap.count})
        for (partner, flow), heap in heaps.items()
    ]


def _mistakes(standing: list[notices.DatedNotice]) -> list[Trouble]:
    """One word for each file; of a delivery in flight (its notice has no line) the queues have told."""
    by_file: dict[str, list[notices.DatedNotice]] = {}
    for one in standing:
        if one.line is not None:
            by_file.setdefault(one.file, []).append(one)
    return [
        Trouble(
            "stop",
            "mistake",
            many[0].partner,
            "",
            min(one.at for one in many),
            f"/partners/{many[0].partner}",
            {"file": file, "line": many[0].line, "message": many[0].message, "count": len(many)},
        )
        for file, many in by_file.items()
    ]
