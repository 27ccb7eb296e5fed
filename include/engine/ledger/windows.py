"""Windows of time that were fetched from a source: which stretch of a repository's changes each delivery holds, and how far that covers it.

A window counts as covered when its delivery is published: one that was blocked, failed or retracted leaves a gap, and the next fetch begins there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import delivery, harvest_window

OPEN, FETCHED = "open", "fetched"
_HELD = (State.PUBLISHED, State.ACKNOWLEDGED)


@dataclass(frozen=True)
class Window:
    """One stretch of one series (a format, a set) in one delivery. `from_at` None is from the beginning, `until_at` None up to what is not known.

    `state` is open or fetched, `delivery_state` that of its delivery. `figures` is what the fetch counted.
    """

    id: int
    delivery_id: str
    partner: str
    flow: str
    series: str
    kind: str
    from_at: datetime | None
    until_at: datetime | None
    state: str
    attempts: int
    reason: str | None
    message: str | None
    figures: Mapping[str, Any]
    started_at: datetime
    touched_at: datetime
    fetched_at: datetime | None
    delivery_state: State
    status: str

    @property
    def covered(self) -> bool:
        """Whether its records are in the lake (or, in status `test`, would be)."""
        return self.state == FETCHED and self.delivery_state in _HELD


def begin(
    ledger: Ledger,
    of: Delivery,
    series: str,
    kind: str,
    from_at: datetime | None,
    until_at: datetime | None,
    *,
    tx: sa.Connection | None = None,
) -> Window:
    """The delivery's window of `series`: the one that an earlier try began, as it began it, or a new one. Counts an attempt."""
    w, now = harvest_window.c, clock.now()
    with ledger.writing(tx) as tx:
        mine = (w.delivery_id == of.id, w.series == series)
        if tx.execute(sa.update(harvest_window).where(*mine).values(attempts=w.attempts + 1, touched_at=now)).rowcount == 0:
            row: dict[str, Any] = {
                "delivery_id": of.id,
                "partner": of.partner,
                "flow": of.flow,
                "series": series,
                "kind": kind,
                "from_at": from_at,
            }
            row |= {"until_at": until_at, "state": OPEN, "attempts": 1, "figures": {}, "started_at": now, "touched_at": now}
            tx.execute(sa.insert(harvest_window).values(row))
        return _windows(tx, *mine)[0]


def note(
    ledger: Ledger, window: Window, *, figures: Mapping[str, Any], reason: str | None = None, message: str | None = None,
    fetched: bool = False, tx: sa.Connection | None = None,
) -> None:  # fmt: skip
    """Say how far a window is, what is in its way, or that it is fetched."""
    now = clock.now()
    values = {"figures": dict(figures), "reason": reason, "message": message, "touched_at": now}
    if fetched:
        values |= {"state": FETCHED, "fetched_at": now}
    with ledger.writing(tx) as tx:
        tx.execute(sa.update(harvest_window).where(harvest_window.c.id == window.id).values(values))


def of_delivery(ledger: Ledger, delivery_id: str, *, tx: sa.Connection | None = None) -> list[Window]:
    """The windows of a delivery, in the order in which they were begun."""
    with ledger.reading(tx) as tx:
        return _windows(tx, harvest_window.c.delivery_id == delivery_id)


def find(
    ledger: Ledger, partner: str, flow: str, *, series: str | None = None, status: str | None = None, tx: sa.Connection | None = None
) -> list[Window]:
    """All windows of a partner's flow, oldest first; `status` is that of their deliveries (a rehearsal covers nothing)."""
    w = harvest_window.c
    asked = [w.partner == partner, w.flow == flow]
    asked += [w.series == series] if series is not None else []
    asked += [delivery.c.status == status] if status is not None else []
    with ledger.reading(tx) as tx:
        return _windows(tx, *asked)


def covered_until(windows: Iterable[Window]) -> datetime | None:
    """Up to when everything since the beginning is covered; None when nothing is, or the beginning is missing."""
    until: datetime | None = None
    spans = sorted(
        ((one.from_at, one.until_at) for one in windows if one.covered and one.until_at is not None),
        key=lambda span: (span[0] is not None, span[0] or span[1]),
    )
    for begin, end in spans:
        if begin is None or (until is not None and begin <= until):
            until = end if until is None or (end is not None and end > until) else until
    return until


def gaps(windows: Iterable[Window]) -> list[tuple[datetime | None, datetime]]:
    """The stretches before the last covered moment that no window covers; None is the beginning."""
    spans = sorted(
        ((one.from_at, one.until_at) for one in windows if one.covered and one.until_at is not None),
        key=lambda span: (span[0] is not None, span[0] or span[1]),
    )
    found: list[tuple[datetime | None, datetime]] = []
    until: datetime | None = None
    for number, (begin, end) in enumerate(spans):
        if begin is not None and (until is None or begin > until) and (number == 0 or until is not None):
            found.append((until, begin))
        until = end if until is None or (end is not None and end > until) else until
    return found


def _windows(tx: sa.Connection, *asked: Any) -> list[Window]:
    query = sa.select(harvest_window, delivery.c.state.label("delivery_state"), delivery.c.status)
    query = query.join(delivery, delivery.c.id == harvest_window.c.delivery_id).where(*asked).order_by(harvest_window.c.id)
    rows = tx.execute(query)
    return [Window(**{**row._mapping, "delivery_state": State(row.delivery_state)}) for row in rows]
