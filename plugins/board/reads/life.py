"""Everything that is known of one delivery: its life step by step, its records, its rules, its files, its family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from include.engine.delivery import FINISHED, Delivery, State
from include.engine.ledger import Ledger, audit, deliveries, gate_results, history, manifests, parts, quarantined, queue, receipts, windows
from include.engine.ledger.audit import AuditEntry
from include.engine.ledger.deliveries import DeliveryEvent
from include.engine.ledger.gate_results import GateResult
from include.engine.ledger.manifests import Manifest
from include.engine.ledger.parts import Part
from include.engine.ledger.receipts import Receipt
from include.engine.ledger.schema import outbound_copy
from include.engine.ledger.windows import Window
from plugins.board.reads.scope import Partners, one_delivery


@dataclass(frozen=True)
class Step:
    """One stretch of a delivery's life. `name` is a task of its run (receive, gate...), or what happened to it outside of one (seen, claimed,
    reopened, dismissed, retracted). `state` is what it ended in, None while it is at work. `lasted` is None for a moment."""

    name: str
    at: datetime
    lasted: timedelta | None
    state: State | None
    tries: int
    task: bool


@dataclass(frozen=True)
class Life:
    """A delivery and all that belongs to it. `reasons` are (reason, column, records), the most frequent first. `whole`: its steps, what
    was set aside and the rules that held are kept from the beginning on."""

    delivery: Delivery
    steps: tuple[Step, ...]
    events: tuple[DeliveryEvent, ...]
    results: tuple[GateResult, ...]
    reasons: tuple[tuple[str, str | None, int], ...]
    manifests: tuple[Manifest, ...]
    receipts: tuple[Receipt, ...]
    parts: tuple[Part, ...]
    copies: tuple[str, ...]
    windows: tuple[Window, ...]
    origin: Delivery | None
    replays: tuple[Delivery, ...]
    waits_for: str | None
    audit: tuple[AuditEntry, ...]
    whole: bool

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.delivery.state in FINISHED


def life(ledger: Ledger, id: str, partners: Partners) -> Life:
    """The life of the delivery `id`; UnknownDelivery when there is none that may be seen."""
    with ledger.read() as tx:
        one = one_delivery(ledger, id, partners, tx=tx)
        events = deliveries.events(ledger, id, tx=tx)
        counted = quarantined.counts(ledger, id, tx=tx)
        told = receipts.of(ledger, id, tx=tx)
        sent = tx.execute(sa.select(outbound_copy.c.uri).where(outbound_copy.c.delivery_id == id).order_by(outbound_copy.c.uri))
        return Life(
            one,
            tuple(_closed(steps(events), one, told)),
            tuple(events),
            tuple(gate_results.of(ledger, id, tx=tx)),
            tuple((reason, column, number) for (reason, column), number in counted.items()),
            tuple(manifests.of(ledger, id, tx=tx)),
            tuple(told),
            tuple(parts.of(ledger, id, tx=tx)),
            tuple(row.uri for row in sent),
            tuple(windows.of_delivery(ledger, id, tx=tx)),
            deliveries.get(ledger, one.origin, tx=tx) if one.origin else None,
            tuple(deliveries.find(ledger, origin=id, tx=tx)),
            queue.waits_for(ledger, id, tx=tx),
            tuple(audit.find(ledger, subject=id, tx=tx)),
            history.whole(ledger, id, tx=tx),
        )


def steps(events: Sequence[DeliveryEvent]) -> list[Step]:
    """Events as a life: the tries of one step, one after the other, are one stretch of it."""
    found: list[Step] = []
    for event in events:
        last = found[-1] if found else None
        if event.kind == "taken":
            if last is not None and last.task and last.name == event.step:
                found[-1] = _with(last, tries=last.tries + 1, state=None, lasted=None)
            else:
                found.append(Step(event.step or "", event.at, None, None, 1, True))
        elif event.kind == "advanced" and last is not None and last.task and event.step == last.name:
            found[-1] = _with(last, state=event.state, lasted=event.at - last.at)
        elif event.kind == "advanced":  # an earlier try that was overtaken, or a step outside of a run
            found.append(Step(event.step or str(event.state), event.at, None, event.state, 1, False))
        elif event.kind != "noted":
            found.append(Step(event.kind, event.at, None, event.state, 1, False))
    return found


def _closed(found: list[Step], delivery: Delivery, told: Sequence[Receipt]) -> list[Step]:
    """The last step of a delivery that was stopped, or was a duplicate, changes no state: it has done its work once its receipts are there."""
    last = found[-1] if found else None
    if last is None or not last.task or last.state is not None or delivery.state not in FINISHED:
        return found
    written = max((one.written_at for one in told), default=last.at)
    return [*found[:-1], _with(last, state=State.ACKNOWLEDGED, lasted=written - last.at)] if written > last.at else found


def _with(step: Step, **changes: Any) -> Step:
    return Step(**{**step.__dict__, **changes})
