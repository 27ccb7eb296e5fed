"""What is measured. All of it is in the ledger, so a process that was killed has lost no count, and a task that ran twice has added none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import State
from include.engine.ledger import Ledger
from include.engine.ledger.quarantined import Fate
from include.engine.ledger.schema import delivery, gate_result, inbox_look, quarantined, settings_error

c, q = delivery.c, quarantined.c
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """One metric: its name, its unit (UCUM, as OpenTelemetry writes them), what it says, and its values by labels."""

    name: str
    unit: str
    help: str
    kind: Literal["counter", "gauge"]
    labels: Labels
    values: dict[Labels, float]


def read(ledger: Ledger) -> list[Measure]:
    """Every measure now. Counters go down only where a delivery is done again, and then breaks fewer rules."""
    now = clock.now()
    with ledger.read() as tx:
        return [*_deliveries(tx, now), _records(tx), *_quarantine(tx, now), _rules(tx), _inboxes(tx), _mistakes(tx)]


def _deliveries(tx: sa.Connection, now: datetime) -> Iterator[Measure]:
    by = ("partner", "flow")
    states: dict[Labels, float] = {}
    newest: dict[Labels, float] = {}
    waiting: dict[Labels, float] = {}
    columns = (c.partner, c.flow, c.state, sa.func.count(), sa.func.max(c.finished_at), sa.func.min(c.seen_at))
    for partner, flow, state, number, finished, seen in tx.execute(sa.select(*columns).group_by(c.partner, c.flow, c.state)):
        states[partner, flow, state] = number
        if state in {State.ACKNOWLEDGED, State.PUBLISHED} and finished is not None:
            newest[partner, flow] = max(newest.get((partner, flow), 0.0), finished.timestamp())
        if state == State.SEEN:
            waiting[partner, flow] = (now - seen).total_seconds()
    yield Measure("bindery_deliveries", "{delivery}", "Deliveries by the state they are in.", "gauge", (*by, "state"), states)
    yield Measure(
        "bindery_last_success_timestamp_seconds", "s", "When the newest delivery that was taken in was finished.", "gauge", by, newest
    )
    yield Measure(
        "bindery_backlog_age_seconds", "s", "How long the oldest delivery waits that is seen and not begun.", "gauge", by, waiting
    )


def _records(tx: sa.Connection) -> Measure:
    columns = {"published": c.count_published, "quarantined": c.count_quarantined, "filtered": c.count_filtered, "held": c.count_held}
    query = sa.select(c.partner, c.flow, *(sa.func.sum(column) for column in columns.values())).group_by(c.partner, c.flow)
    values: dict[Labels, float] = {
        (row[0], row[1], name): float(row[place] or 0) for row in tx.execute(query) for place, name in enumerate(columns, start=2)
    }
    return Measure(
        "bindery_records_total", "{record}", "Source records by what became of them.", "counter", ("partner", "flow", "outcome"), values
    )


def _quarantine(tx: sa.Connection, now: datetime) -> Iterator[Measure]:
    by = ("partner", "flow", "reason")
    counts: dict[Labels, float] = {}
    ages: dict[Labels, float] = {}
    query = sa.select(q.partner, q.flow, q.reason, sa.func.count(), sa.func.min(q.at)).where(q.state == Fate.OPEN)
    for partner, flow, reason, number, since in tx.execute(query.group_by(q.partner, q.flow, q.reason)):
        counts[partner, flow, reason] = number
        ages[partner, flow, reason] = (now - since).total_seconds()
    yield Measure("bindery_quarantine_records", "{record}", "Records that are set aside and wait.", "gauge", by, counts)
    yield Measure("bindery_quarantine_age_seconds", "s", "How long the oldest of them waits.", "gauge", by, ages)


def _rules(tx: sa.Connection) -> Measure:
    g = gate_result.c
    query = sa.select(c.partner, c.flow, g.contract, sa.func.sum(g.failed)).select_from(delivery.join(gate_result, g.delivery_id == c.id))
    values: dict[Labels, float] = {
        (row[0], row[1], row[2]): float(row[3] or 0) for row in tx.execute(query.group_by(c.partner, c.flow, g.contract))
    }
    labels = ("partner", "flow", "contract")
    return Measure(
        "bindery_contract_failures_total", "{record}", "Times that a record broke a rule of a contract.", "counter", labels, values
    )


def _inboxes(tx: sa.Connection) -> Measure:
    i = inbox_look.c
    values: dict[Labels, float] = {
        (row[0], row[1]): float(row[2])
        for row in tx.execute(sa.select(i.partner, i.flow, sa.func.max(i.failures)).group_by(i.partner, i.flow))
    }
    return Measure(
        "bindery_inbox_failures", "{look}", "Looks into an inbox that failed, one after the other.", "gauge", ("partner", "flow"), values
    )


def _mistakes(tx: sa.Connection) -> Measure:
    e = settings_error.c
    values: dict[Labels, float] = {
        (row[0],): float(row[1]) for row in tx.execute(sa.select(e.partner, sa.func.count()).group_by(e.partner))
    }
    return Measure(
        "bindery_notices", "{notice}", "Errors in a partner's settings, and deliveries that stand still.", "gauge", ("partner",), values
    )
