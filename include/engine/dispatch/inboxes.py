"""Look into watched inboxes: each in a thread of its own, so that one that hangs delays no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from include.engine.delivery import NewDelivery, delivery_id
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import deliveries, inbox
from include.engine.ledger.inbox import InboxFile, InboxLook
from include.engine.partner.settings import DeliverySpec, InboxFlow, Partner, Ready, spec_for
from include.engine.storage.readiness import SETTLED, ready
from include.engine.storage.seen import Seen, composed, matches, refusals, shown

log = logging.getLogger("bindery.dispatch")

AT_ONCE = 16
"""Inboxes looked into at the same time."""


@dataclass(frozen=True)
class Inbox:
    """One watched folder of one partner's flow."""

    partner: Partner
    name: str
    flow: InboxFlow

    def __str__(self) -> str:
        return f"{self.partner.id}/{self.name} ({self.flow.inbox})"


def watched(partners: Iterable[Partner]) -> list[Inbox]:
    """Every inbox of every enabled flow."""
    return [
        Inbox(partner, name, flow)
        for partner in partners
        for name, flow in partner.flows.items()
        if isinstance(flow, InboxFlow) and flow.enabled
    ]


def due(inboxes: Iterable[Inbox], looks: Iterable[InboxLook], now: datetime) -> list[Inbox]:
    """Those whose `every` has passed since they were last tried; one that keeps failing is tried less and less often, every 30 minutes at least."""
    last = {(look.partner, look.flow, look.inbox): look for look in looks}
    found = []
    for one in inboxes:
        look = last.get((one.partner.id, one.name, one.flow.inbox))
        if look is None or now - look.tried_at >= _pause(one.flow.every, look.failures):
            found.append(one)
    return found


def _pause(every: timedelta, failures: int) -> timedelta:
    # A second's grace: dispatch itself runs every minute, and "every: 1 min" must not become two.
    patience = max(every, timedelta(minutes=30))
    return min(every * 2 ** min(failures, 10), patience) - timedelta(seconds=1)


def look_into(engine: Engine, inboxes: list[Inbox], now: datetime, patience: float) -> int:
    """Enter what the inboxes hold; returns how many deliveries were seen anew. Whatever does not answer in `patience` seconds is left behind
    (its thread ends with its time-outs) and noted as failed, to be tried again later."""
    work: SimpleQueue[Inbox] = SimpleQueue()
    done: SimpleQueue[tuple[Inbox, int | BinderyError]] = SimpleQueue()
    for one in inboxes:
        work.put(one)

    def run() -> None:
        while True:
            try:
                one = work.get_nowait()
            except Empty:
                return
            try:
                done.put((one, _look(engine, one, now)))
            except BinderyError as error:
                done.put((one, error))

    for _ in range(min(AT_ONCE, len(inboxes))):
        threading.Thread(target=run, daemon=True, name="inbox").start()
    waiting = {str(one): one for one in inboxes}
    deadline = time.monotonic() + patience
    seen = 0
    while waiting and (left := deadline - time.monotonic()) > 0:
        try:
            one, result = done.get(timeout=left)
        except Empty:
            break
        del waiting[str(one)]
        if isinstance(result, BinderyError):
            _failed(engine, one, str(result), now)
        else:
            seen += result
    for one in waiting.values():
        _failed(engine, one, f"{one.flow.inbox}: did not answer within {patience:.0f} seconds.", now)
    return seen


def _failed(engine: Engine, one: Inbox, note: str, now: datetime) -> None:
    log.warning("%s could not be looked into: %s", one, note)
    inbox.look_failed(engine.ledger, one.partner.id, one.name, one.flow.inbox, note, now)


def _look(engine: Engine, one: Inbox, now: datetime) -> int:
    with engine.store(one.flow.inbox) as store:
        listing = store.list()
    waiting = inbox.look(engine.ledger, one.partner.id, one.name, one.flow.inbox, listing, now)
    new = list(_whole(one, waiting, listing, now))
    with engine.ledger.begin() as tx:
        for delivery in new:
            assert delivery.path is not None
            deliveries.see(engine.ledger, delivery, tx=tx)
            inbox.bind_delivery(engine.ledger, one.partner.id, one.name, one.flow.inbox, delivery.path, delivery.id, tx=tx)
    return len(new)


def _whole(one: Inbox, waiting: list[InboxFile], listing: list[Seen], now: datetime) -> list[NewDelivery]:
    """The files that are whole, or never will be, as deliveries in the order in which they were written."""
    refused = refusals(listing)
    groups: dict[DeliverySpec | None, list[InboxFile]] = {}
    for file in waiting:
        groups.setdefault(spec_for(one.flow, composed(file.path.rpartition("/")[2])), []).append(file)
    undeclared = groups.pop(None, [])
    found: list[tuple[InboxFile, DeliverySpec | None, str | None]] = []
    for spec, files in groups.items():
        assert spec is not None
        judged = ready([*files, *undeclared], spec.ready or one.flow.ready, now, refusals=refused)  # markers are declared by no delivery
        own = set(files)
        found += [(file, spec, None) for file in judged.ready if file in own]
        found += [(file, spec, code) for file, code in judged.refused if file in own]
        for wait in judged.waiting:
            if wait.overdue and wait.file in own:
                log.warning("%s: %s waits for too long: %s %s", one, shown(wait.file.path), wait.code, wait.expected)
    strangers = [file for file in undeclared if not _is_marker(one.flow, file.path)]
    judged = ready(strangers, Ready(stable_for=SETTLED), now, refusals=refused)
    found += [(file, None, refused.get(file.path, "FILE_UNDECLARED")) for file in [*judged.ready, *(file for file, _ in judged.refused)]]
    found.sort(key=lambda entry: (entry[0].mtime_ns, entry[0].path))
    # One look has one moment: a microsecond each keeps their order.
    return [_delivery(one, *entry, at=now + timedelta(microseconds=number)) for number, entry in enumerate(found)]


def _is_marker(flow: InboxFlow, path: str) -> bool:
    """Whether the name belongs to a policy of this inbox (a done file, a name to be renamed) rather than to a stray file."""
    for policy in (flow.ready, *(spec.ready for spec in flow.deliveries if spec.ready)):
        if policy.done_file and matches(path, policy.done_file.replace("{name}", "*")):
            return True
        if policy.rename_from and matches(path, f"*{policy.rename_from}"):
            return True
    return False


def _delivery(one: Inbox, file: InboxFile, spec: DeliverySpec | None, refused: str | None, *, at: datetime) -> NewDelivery:
    table = spec.table if spec else "undeclared"
    return NewDelivery(
        id=delivery_id(one.partner.id, table, at, file.path, file.size, file.mtime_ns, salt=file.first_seen_at.isoformat()),
        partner=one.partner.id,
        flow=one.name,
        table=table,
        seen_at=at,
        mode=spec.mode if spec else "",
        status=one.partner.status,
        source_uri=one.flow.inbox,
        path=file.path,
        size=file.size,
        mtime_ns=file.mtime_ns,
        after_block="continue" if spec is None else one.flow.after_block,
        facts={"refused": refused} if refused else {},
    )
