"""Deliveries in the ledger: seen, looked up, and what happened to them. Their way from state to state is in `claims`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import Counts, Delivery, NewDelivery, State
from include.engine.errors import UnknownDelivery, WrongState
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import delivery, delivery_event
from include.engine.ledger.types import storable

COUNT_COLUMNS = {f.name: f"count_{f.name.strip('_')}" for f in fields(Counts)}
_PLAIN = [f.name for f in fields(Delivery) if f.name not in {"state", "counts"}]
_WHAT_IT_IS = ("partner", "flow", "table", "path", "size", "mtime_ns", "origin")


@dataclass(frozen=True)
class DeliveryEvent:
    """One thing that happened to a delivery. `kind` is seen, claimed, triggered, taken, advanced, noted, reopened or dismissed;
    `before` and `state` are the states around it, `token` and `step` those of the try that did it."""

    delivery_id: str
    at: datetime
    kind: str
    state: State
    before: State | None
    token: int
    step: str | None
    facts: Mapping[str, Any]


def see(ledger: Ledger, new: NewDelivery, *, tx: sa.Connection | None = None) -> Delivery:
    """Enter a delivery as `seen`; one that is there already is returned as it is.

    The order of these calls is the order of arrival. Raises UnknownDelivery when its origin is not there, WrongState when the id is
    there for something else (make it with another `salt`).
    """
    return see_all(ledger, [new], tx=tx)[0]


def of_flows(ledger: Ledger, partner: str, flows: Sequence[str]) -> list[str]:
    """The ids of all deliveries of these flows of a partner."""
    with ledger.read() as tx:
        mine = (delivery.c.partner == partner, delivery.c.flow.in_(flows))
        return list(tx.execute(sa.select(delivery.c.id).where(*mine).order_by(delivery.c.id)).scalars())


def see_all(ledger: Ledger, new: Sequence[NewDelivery], *, tx: sa.Connection | None = None) -> list[Delivery]:
    """`see` for many, in one transaction: all or none. Those seen at the same time arrive the older file first, then by name."""
    with ledger.writing(tx) as tx:
        ledger.lock(tx, "see")
        found = _by_id(tx, [one.id for one in new])
        fresh = {one.id: one for one in sorted(new, key=_arrival) if one.id not in found}
        if fresh:
            origins = _by_id(tx, [one.origin for one in fresh.values() if one.origin])
            last = last_arrival(ledger, tx=tx)
            rows = [_first_row(one, origins) | {"arrival": number} for number, one in enumerate(fresh.values(), last + 1)]
            tx.execute(sa.insert(delivery), rows)
            tx.execute(sa.insert(delivery_event), [event(one.id, "seen", State.SEEN, at=one.seen_at) for one in fresh.values()])
            found |= _by_id(tx, list(fresh))
        for one in new:
            if any(getattr(found[one.id], name) != _known(one, name) for name in _WHAT_IT_IS):
                raise WrongState("another file or flow already has this delivery id.", where=one.id, do="Make the id with another salt.")
        return [found[one.id] for one in new]


def last_arrival(ledger: Ledger, *, tx: sa.Connection | None = None) -> int:
    """The number of the delivery that arrived last, 0 before the first: whatever is seen from now on has a higher one."""
    with ledger.reading(tx) as tx:
        found: int = tx.execute(sa.select(sa.func.coalesce(sa.func.max(delivery.c.arrival), 0))).scalar_one()
        return found


def get(ledger: Ledger, id: str, *, tx: sa.Connection | None = None) -> Delivery:
    """The delivery `id`; UnknownDelivery when there is none."""
    with ledger.reading(tx) as tx:
        return from_row(row_of(tx, id))


def find(
    ledger: Ledger,
    *,
    partner: str | None = None,
    flow: str | None = None,
    table: str | None = None,
    states: Iterable[State] | None = None,
    since: datetime | None = None,
    origin: str | None = None,
    content_hash: str | None = None,
    finished_before: datetime | None = None,
    limit: int = 500,
    tx: sa.Connection | None = None,
) -> list[Delivery]:
    """Deliveries that fit all that is asked, newest first. `since` is about `seen_at`."""
    asked = {"partner": partner, "flow": flow, "table": table, "origin": origin, "content_hash": content_hash}
    query = sa.select(delivery).where(*(delivery.c[name] == value for name, value in asked.items() if value is not None))
    if states is not None:
        query = query.where(delivery.c.state.in_(list(states)))
    if since is not None:
        query = query.where(delivery.c.seen_at >= since)
    if finished_before is not None:
        query = query.where(delivery.c.finished_at < finished_before)
    with ledger.reading(tx) as tx:
        return [from_row(row) for row in tx.execute(query.order_by(delivery.c.arrival.desc()).limit(limit))]


def days(ledger: Ledger, partner: str, *, tx: sa.Connection | None = None) -> dict[str, date]:
    """The day (UTC) on which each of a partner's deliveries was seen, by id."""
    with ledger.reading(tx) as tx:
        rows = tx.execute(sa.select(delivery.c.id, delivery.c.seen_at).where(delivery.c.partner == partner))
        return {row.id: row.seen_at.date() for row in rows}


def duplicate_of(ledger: Ledger, one: Delivery, content_hash: str, *, tx: sa.Connection | None = None) -> Delivery | None:
    """The published delivery that `one` would only repeat, or None.

    Same partner, flow, table and status, same bytes, published and not retracted. A full export is a repetition of the latest
    published one only: after another in between, the same bytes say something new. A replay is never a duplicate.
    """
    if one.origin is not None:
        return None
    c, ends = delivery.c, [State.PUBLISHED, State.ACKNOWLEDGED]
    query = sa.select(delivery).where(c.partner == one.partner, c.flow == one.flow, c.lane == one.lane, c.status == one.status)
    query = query.where(c.state.in_(ends), c.id != one.id)
    if one.mode == "full":
        query = query.order_by(sa.func.coalesce(c.published_at, c.finished_at).desc(), c.arrival.desc())
    else:
        query = query.where(c.content_hash == content_hash).order_by(c.arrival)
    with ledger.reading(tx) as tx:
        row = tx.execute(query.limit(1)).one_or_none()
        return from_row(row) if row is not None and row.content_hash == content_hash else None


def other_bytes_before(ledger: Ledger, one: Delivery, *, tx: sa.Connection | None = None) -> bool:
    """Whether a delivery of the same partner, flow and path was taken in before `one`, with other bytes."""
    c = delivery.c
    query = sa.select(c.id).where(c.partner == one.partner, c.flow == one.flow, c.path == one.path, c.arrival < one.arrival)
    query = query.where(c.state.in_([State.PUBLISHED, State.ACKNOWLEDGED]), c.content_hash != one.content_hash, c.origin.is_(None))
    with ledger.reading(tx) as tx:
        return tx.execute(query.limit(1)).first() is not None


def events(ledger: Ledger, id: str, *, tx: sa.Connection | None = None) -> list[DeliveryEvent]:
    """What happened to the delivery `id`, in the order in which it happened."""
    e = delivery_event.c
    with ledger.reading(tx) as tx:
        rows = tx.execute(sa.select(delivery_event).where(e.delivery_id == id).order_by(e.id))
        return [
            DeliveryEvent(r.delivery_id, r.at, r.kind, State(r.state), State(r.before) if r.before else None, r.token, r.step, r.facts)
            for r in rows
        ]


def event(id: str, kind: str, state: State, *, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    """A row of delivery_event; `more` is any of before, token, step, facts."""
    row = {"delivery_id": id, "at": at or clock.now(), "kind": kind, "state": state, "before": None, "token": 0, "step": None, "facts": {}}
    return row | more


def row_of(tx: sa.Connection, id: str, *, lock: bool = False) -> sa.Row[Any]:
    """The row of `id`, with `lock` kept from other writers until the end of `tx` (on SQLite a writer is alone already)."""
    query = sa.select(delivery).where(delivery.c.id == id)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownDelivery("there is no such delivery in the ledger.", where=id, do="Look its id up on the page of its partner.")
    return row


def from_row(row: sa.Row[Any]) -> Delivery:
    """The delivery of a row of the delivery table."""
    values = row._mapping
    counts = Counts(**{name: values[column] for name, column in COUNT_COLUMNS.items()})
    return Delivery(state=State(values["state"]), counts=counts, **{name: values[name] for name in _PLAIN})


def _by_id(tx: sa.Connection, ids: Sequence[str]) -> dict[str, Delivery]:
    found: dict[str, Delivery] = {}
    for start in range(0, len(ids), 500):
        rows = tx.execute(sa.select(delivery).where(delivery.c.id.in_(ids[start : start + 500])))
        found |= {row.id: from_row(row) for row in rows}
    return found


def _arrival(new: NewDelivery) -> tuple[datetime, int, str, str]:
    return new.seen_at, new.mtime_ns or 0, new.path or "", new.id


def _first_row(new: NewDelivery, origins: Mapping[str, Delivery]) -> dict[str, Any]:
    if new.origin is not None and new.origin not in origins:
        raise UnknownDelivery("the delivery that this one does again is not in the ledger.", where=new.origin)
    row = {f.name: _known(new, f.name) for f in fields(NewDelivery)}
    row |= dict.fromkeys(COUNT_COLUMNS.values(), 0)
    return row | {
        "state": State.SEEN,
        "lane": new.table or new.flow,
        "root": origins[new.origin].root if new.origin else new.id,
        "token": 0,
        "tries": 0,
        "contract": {},
        "facts": dict(new.facts),
        "origin_filter": None if new.origin_filter is None else dict(new.origin_filter),
        "touched_at": new.seen_at,
    }


def _known(new: NewDelivery, name: str) -> Any:
    value = getattr(new, name)
    return storable(value) if name in {"path", "source_uri"} and value is not None else value
