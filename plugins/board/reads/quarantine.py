"""Records that were set aside, a page at a time, newest first: each page is a few index probes, however many millions there are.

A question about several partners, reasons or states is asked for each of them alone, in the order of its index, and the answers are merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

import sqlalchemy as sa

from include.engine.delivery import Delivery
from include.engine.errors import UnknownDelivery
from include.engine.ledger import Ledger
from include.engine.ledger import quarantined as records
from include.engine.ledger.audit import AuditEntry
from include.engine.ledger.deliveries import from_row as delivery_of
from include.engine.ledger.quarantined import Fate, Quarantined
from include.engine.ledger.quarantined import from_row as record_of
from include.engine.ledger.schema import audit, delivery, quarantined
from include.engine.ledger.types import UtcTime
from include.engine.quarantine.decide import concerns
from plugins.board.reads.scope import Partners, within

q = quarantined.c
PAGE = 50
MANY = 10_000
"""Records are counted as far as this."""
BRANCHES = 60
FILES = 200
"""Deliveries whose file is named like what is looked for: the newest of them."""


@dataclass(frozen=True)
class Asked:
    """What is looked for; empty is anything. `text` has become `reasons` (codes) and `deliveries` (ids) that fit it, None without one."""

    partner: str = ""
    flow: str = ""
    reason: str = ""
    delivery: str = ""
    state: str = Fate.OPEN
    since: datetime | None = None
    until: datetime | None = None
    reasons: tuple[str, ...] | None = None
    deliveries: tuple[str, ...] | None = None


Place = tuple[datetime, int]
"""Where a page ends: the last record's moment and id."""


def page(tx: sa.Connection, partners: Partners, asked: Asked, before: Place | None = None, limit: int = PAGE) -> list[Quarantined]:
    """The next records that fit, newest first."""
    if before is not None:
        at, id = before
        older = sa.tuple_(q.at, q.id) < sa.tuple_(sa.literal(at, UtcTime()), sa.literal(id, q.id.type))
    else:
        older = sa.true()
    order = (q.at.desc(), q.id.desc())
    parts = [sa.select(quarantined).where(*one, older).order_by(*order).limit(limit).subquery() for one in _branches(partners, asked)]
    if not parts:
        return []
    every = sa.union_all(*(sa.select(part) for part in parts)).subquery()
    rows = tx.execute(sa.select(every).order_by(every.c.at.desc(), every.c.id.desc()).limit(limit))
    found = {row.id: record_of(row) for row in rows}  # one that fits by its reason and by its file comes twice
    return list(found.values())


def counted(tx: sa.Connection, partners: Partners, asked: Asked) -> int:
    """How many fit; MANY + 1 for more than MANY."""
    parts = [sa.select(q.id).where(*one).limit(MANY + 1).subquery() for one in _branches(partners, asked)]
    if not parts:
        return 0
    every = (sa.union_all if asked.reasons is None else sa.union)(*(sa.select(part) for part in parts)).subquery()
    return min(MANY + 1, tx.execute(sa.select(sa.func.count()).select_from(every)).scalar_one())


def _branches(partners: Partners, asked: Asked) -> list[list[sa.ColumnElement[bool]]]:
    """The conditions of each question that one index answers in order."""
    if asked.partner and partners is not None and asked.partner not in partners:
        return []
    whose: Sequence[str | None] = [asked.partner] if asked.partner else [None] if partners is None else sorted(partners)
    states: Sequence[str] = [asked.state] if asked.state else list(Fate)
    common = [q[name] == value for name, value in (("flow", asked.flow), ("delivery_id", asked.delivery)) if value]
    common += [q.at >= asked.since] if asked.since else []
    common += [q.at < asked.until] if asked.until else []
    sought: list[tuple[str, Sequence[str | None]]]
    if asked.reasons is None:
        sought = [("reason", [asked.reason or None])]
    else:
        codes = [code for code in asked.reasons if not asked.reason or code == asked.reason]
        sought = [("reason", codes), ("delivery_id", list(asked.deliveries or ()))]
        common += [q.reason == asked.reason] if asked.reason else []
    found: list[list[sa.ColumnElement[bool]]] = []
    for name, values in sought:
        if len(values) * len(whose) * len(states) > BRANCHES:
            found.append(
                [
                    *common,
                    q[name].in_(values),
                    q.state.in_(states),
                    within(partners, q.partner) if whose == [None] else q.partner.in_(whose),
                ]
            )
            continue
        for value, partner, state in product(values, whose, states):
            one = [*common, q.state == state]
            one += [q[name] == value] if value is not None else []
            one += [q.partner == partner] if partner is not None else []
            found.append(one)
    return found


def named(tx: sa.Connection, partners: Partners, text: str) -> tuple[str, ...]:
    """Ids of the newest deliveries with records set aside whose file or id holds `text`."""
    like = f"%{text.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
    fits = sa.or_(delivery.c.path.ilike(like, escape="!"), delivery.c.id.ilike(like, escape="!"))
    query = sa.select(delivery.c.id).where(within(partners), delivery.c.count_quarantined > 0, fits)
    return tuple(tx.execute(query.order_by(delivery.c.arrival.desc()).limit(FILES)).scalars())


def reasons_there(tx: sa.Connection, partners: Partners) -> list[str]:
    """The reasons for which anything was ever set aside: from one to the next by the index, whatever the number of records."""
    found: set[str] = set()
    for scope in [sa.true()] if partners is None else [q.partner == one for one in sorted(partners)]:
        first = sa.select(sa.func.min(q.reason).label("reason")).where(scope).cte("there", recursive=True)
        following = sa.select(sa.func.min(q.reason)).where(scope, q.reason > first.c.reason).scalar_subquery()
        there = first.union_all(sa.select(following).where(first.c.reason.is_not(None)))
        found |= set(tx.execute(sa.select(there.c.reason).where(there.c.reason.is_not(None))).scalars())
    return sorted(found)


def one(ledger: Ledger, id: int, partners: Partners) -> Quarantined:
    """The record `id`; UnknownDelivery also for one of a partner that may not be read."""
    found = records.get(ledger, id)
    if partners is not None and found.partner not in partners:
        raise UnknownDelivery("there is no such record in the quarantine.", where=str(id))
    return found


def deliveries_of(tx: sa.Connection, found: Sequence[Quarantined]) -> dict[str, Delivery]:
    """The deliveries of the records, by id."""
    ids = sorted({one.delivery_id for one in found})
    return {row.id: delivery_of(row) for row in tx.execute(sa.select(delivery).where(delivery.c.id.in_(ids)))}


def like_it(tx: sa.Connection, record: Quarantined) -> int:
    """How many open records its delivery has for the same reason, itself among them."""
    query = sa.select(q.id).where(q.delivery_id == record.delivery_id, q.reason == record.reason, q.state == Fate.OPEN).limit(MANY + 1)
    return tx.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()


def around(tx: sa.Connection, record: Quarantined) -> tuple[int | None, int | None]:
    """The ids of the record before and the one behind it in the same delivery."""
    before = sa.select(sa.func.max(q.id)).where(q.delivery_id == record.delivery_id, q.id < record.id)
    behind = sa.select(sa.func.min(q.id)).where(q.delivery_id == record.delivery_id, q.id > record.id)
    return tx.execute(before).scalar_one(), tx.execute(behind).scalar_one()


def again(tx: sa.Connection, record: Quarantined) -> list[Delivery]:
    """Deliveries in which the record was taken in again, or mended, or is on its way; newest first."""
    query = sa.select(delivery).where(delivery.c.origin == record.delivery_id).order_by(delivery.c.arrival.desc()).limit(500)
    return [made for made in map(delivery_of, tx.execute(query)) if concerns(made, record)]


def done_to(tx: sa.Connection, record: Quarantined) -> list[AuditEntry]:
    """What people did to the record or to its whole delivery; newest first."""
    rows = tx.execute(sa.select(audit).where(audit.c.subject == record.delivery_id).order_by(audit.c.id.desc()).limit(500))
    entries = (AuditEntry(**row._mapping) for row in rows)
    return [entry for entry in entries if _about(entry, record)]


def _about(entry: AuditEntry, record: Quarantined) -> bool:
    detail = entry.detail
    if entry.action == "report":
        return bool(detail.get("reason") == record.reason)
    if "quarantined" in detail:
        return bool(detail["quarantined"] == record.id)
    if "record" in detail:
        return (detail["record"], detail.get("member", "")) == (record.record, record.member)
    return bool(detail.get("reason", record.reason) == record.reason)


def fitting(asked: Asked, codes: Iterator[str], deliveries: tuple[str, ...]) -> Asked:
    """The question with what its text has come to."""
    return replace(asked, reasons=tuple(codes), deliveries=deliveries)
