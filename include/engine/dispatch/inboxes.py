"""Look into watched inboxes: each in a thread of its own, so that one that hangs delays no other."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.engine.delivery import NewDelivery, delivery_id
from include.engine.engine import Engine
from include.engine.errors import BinderyError, WrongState
from include.engine.failpoints import point
from include.engine.ledger import deliveries, inbox
from include.engine.ledger.inbox import InboxFile, InboxLook
from include.engine.partner.loading import Partners
from include.engine.partner.settings import DeliverySpec, InboxFlow, Partner, Ready, spec_for
from include.engine.storage.filesystem import Store
from include.engine.storage.looks import look_into
from include.engine.storage.readiness import SETTLED, Waiting, ready
from include.engine.storage.seen import Seen, composed, matches, refusals, remarks, shown

log = logging.getLogger("bindery.dispatch")
SKEW = timedelta(seconds=5)
"""So much two workers' clocks may differ before one counts as set back."""


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


def abandoned(found: Partners, looks: Iterable[InboxLook]) -> list[InboxLook]:
    """Looks at inboxes that no flow has any more, or only one that is switched off. Of a partner whose YAML has a mistake nothing is known."""
    there = {(one.partner.id, one.name, one.flow.inbox) for one in watched(found.partners.values())}
    mistaken = {one.partner for one in found.mistakes}
    return [look for look in looks if look.partner not in mistaken and (look.partner, look.flow, look.inbox) not in there]


def due(inboxes: Iterable[Inbox], looks: Iterable[InboxLook], now: datetime) -> list[Inbox]:
    """Those whose `every` has passed since they were last tried; one that keeps failing is tried less and less often, every 30 minutes at least.

    One that was tried later than now is due: its clock was set back, and nobody knows how long ago it was.
    """
    last = {(look.partner, look.flow, look.inbox): look for look in looks}
    found = []
    for one in inboxes:
        look = last.get((one.partner.id, one.name, one.flow.inbox))
        since = None if look is None else now - look.tried_at
        if look is None or since is None or since >= _pause(one.flow.every, look.failures) or since < -SKEW:
            found.append(one)
    return found


def _pause(every: timedelta, failures: int) -> timedelta:
    # A second's grace: dispatch itself runs every minute, and "every: 1 min" must not become two.
    patience = max(every, timedelta(minutes=30))
    slower: timedelta = min(every * 2 ** min(failures, 10), patience)
    return slower - timedelta(seconds=1)


def enter_all(engine: Engine, inboxes: Iterable[Inbox], now: datetime, patience: float) -> int:
    """List the inboxes, at most `patience` seconds in all, and enter what is whole; returns how many deliveries were seen anew.

    One that cannot be read (a connection that is not set up, no answer) is noted as failed and delays no other.
    """
    stores: dict[str, Store] = {}
    named = {str(one): one for one in inboxes}
    found: dict[str, list[Seen] | BinderyError] = {}
    for name, one in named.items():
        try:
            stores[name] = engine.store(one.flow.inbox)
        except BinderyError as error:
            found[name] = error
    point("dispatch.listed")
    seen = 0
    for name, listing in (found | look_into(stores, seconds=patience)).items():
        one = named[name]
        if isinstance(listing, BinderyError):
            log.warning("%s could not be looked into: %s", name, listing)
            inbox.look_failed(engine.ledger, one.partner.id, one.name, one.flow.inbox, str(listing), now, code=listing.code)
            continue
        try:
            seen += _enter(engine, one, listing, now)
        except WrongState as error:  # two files that got one id, or the like: the next round gives others
            log.error("%s: its files could not be entered: %s", name, error)
            inbox.look_failed(engine.ledger, one.partner.id, one.name, one.flow.inbox, str(error), now, code=error.code)
    return seen


def _enter(engine: Engine, one: Inbox, listing: list[Seen], now: datetime) -> int:
    place = (one.partner.id, one.name, one.flow.inbox)
    with engine.ledger.begin() as tx:
        waiting = inbox.look(engine.ledger, *place, listing, now, tx=tx)
        new, overdue = _whole(one, waiting, listing, now)
        deliveries.see_all(engine.ledger, [*new, *overdue], tx=tx)
        for delivery in new:
            inbox.bind_delivery(engine.ledger, *place, str(delivery.path), delivery.id, tx=tx)
    return len(new)


def _whole(one: Inbox, waiting: list[InboxFile], listing: list[Seen], now: datetime) -> tuple[list[NewDelivery], list[NewDelivery]]:
    """The files that are whole, or never will be, as deliveries in the order in which they were written; and word of those that wait too long."""
    refused, present = refusals(listing), {file.path for file in listing}
    groups: dict[DeliverySpec | None, list[InboxFile]] = {}
    for file in waiting:
        groups.setdefault(spec_for(one.flow, composed(file.path.rpartition("/")[2])), []).append(file)
    undeclared = groups.pop(None, [])
    found: list[tuple[InboxFile, DeliverySpec | None, str | None]] = []
    overdue: dict[str, NewDelivery] = {}
    for spec, files in groups.items():
        assert spec is not None
        judged = ready(
            [*files, *undeclared], one.flow.ready_for(spec), now, refusals=refused, present=present
        )  # markers are declared by no delivery
        own = set(files)
        found += [(file, spec, None) for file in judged.ready if file in own]
        found += [(file, spec, code) for file, code in judged.refused if file in own]
        for wait in judged.waiting:
            if wait.overdue and (wait.file in own or wait.code == "FILE_DATA_MISSING"):
                overdue[wait.file.path] = _overdue(one, wait, now)
    strangers = [file for file in undeclared if not _is_marker(one.flow, file.path)]
    judged = ready(strangers, Ready(stable_for=SETTLED), now, refusals=refused)
    found += [(file, None, refused.get(file.path, "FILE_UNDECLARED")) for file in [*judged.ready, *(file for file, _ in judged.refused)]]
    found.sort(key=lambda entry: (entry[0].mtime_ns, entry[0].path))
    # One look has one moment: a microsecond each keeps their order.
    return [_delivery(one, *entry, at=now + timedelta(microseconds=number)) for number, entry in enumerate(found)], list(overdue.values())


def _is_marker(flow: InboxFlow, path: str) -> bool:
    """Whether the name belongs to a policy of this inbox (a done file, a name to be renamed) rather than to a stray file."""
    for policy in (flow.ready, *(flow.ready_for(spec) for spec in flow.deliveries)):
        if policy.done_file and matches(path, policy.done_file.replace("{name}", "*")):
            return True
        if policy.rename_from and matches(path, f"*{policy.rename_from}"):
            return True
    return False


def _delivery(one: Inbox, file: InboxFile, spec: DeliverySpec | None, refused: str | None, *, at: datetime) -> NewDelivery:
    table = spec.table if spec else "undeclared"
    return NewDelivery(
        id=delivery_id(one.partner.id, table, at, file.path, file.size, file.mtime_ns, salt=f"{one.name} {file.first_seen_at.isoformat()}"),
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
        facts={"refused": refused}
        if refused
        else {"remarks": notes}
        if (notes := remarks(Seen(file.path, file.size, file.mtime_ns), at))
        else {},
    )


def _overdue(one: Inbox, wait: Waiting[InboxFile], now: datetime) -> NewDelivery:
    """Word to the partner that a file waits for its marker, or a marker for its file: a delivery of its own, once, that ends refused.

    The file itself goes on waiting, and is delivered when what it waits for comes.
    """
    file = wait.file
    return NewDelivery(
        id=delivery_id(one.partner.id, "overdue", file.first_seen_at, file.path, file.size, file.mtime_ns, salt=f"{one.name} {wait.code}"),
        partner=one.partner.id,
        flow=one.name,
        table="overdue",
        seen_at=now,
        status=one.partner.status,
        path=file.path,
        size=file.size,
        mtime_ns=file.mtime_ns,
        after_block="continue",
        facts={"refused": wait.code, "expected": shown(wait.expected.rpartition("/")[2])},
    )
