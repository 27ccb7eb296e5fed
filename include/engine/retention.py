"""What has been kept long enough goes: the nightly work behind `retention.enforce`. docs/flows/retention.md

Each step looks at what is there and may be done again; a night that is missed is made up for by the next one.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path

from include.engine import clock
from include.engine.delivery import FINISHED, IN_FLIGHT, Delivery, State
from include.engine.engine import Engine
from include.engine.erasure import kept
from include.engine.errors import UnknownDelivery
from include.engine.inbound import archive
from include.engine.lake import maintenance
from include.engine.lake.query import tables as lake_tables
from include.engine.lake.read import newest
from include.engine.ledger import deliveries, manifests, parts, quarantined
from include.engine.ledger import keys as key_rows
from include.engine.ledger.manifests import Versions
from include.engine.ledger.quarantined import Fate
from include.engine.outbound import settled
from include.engine.outbound.settings import OutboundFlow
from include.engine.partner.retention import Retention
from include.engine.partner.settings import Partner
from include.engine.privacy.forget import forget
from include.engine.privacy.loans import unlink
from include.engine.quarantine import store
from include.engine.receipts.send import FOLDER as RECEIPTS
from include.engine.spool import STAGING

_ALL = 10_000_000
_LEFT_OVER = timedelta(days=1)  # staged bytes go at acknowledge: what is older is what a crash left


@dataclass(frozen=True)
class Enforced:
    """How much went: deliveries whose landed bytes, staged bytes and quarantine went, receipts, loans that lost their patron, lake files."""

    landed: int = 0
    staged: int = 0
    quarantine: int = 0
    receipts: int = 0
    archived: int = 0
    loans: int = 0
    rows: int = 0
    settled: int = 0
    compacted: int = 0
    vacuumed: int = 0

    def __add__(self, other: Enforced) -> Enforced:
        return Enforced(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})

    def __str__(self) -> str:
        return (
            f"deliveries whose landed bytes went: {self.landed:,}, staged left-overs: {self.staged:,}, quarantine: {self.quarantine:,}; "
            f"receipts: {self.receipts:,}; files in inboxes' archives: {self.archived:,}; loans without their patron now: {self.loans:,}; "
            f"rows of tables that have a period: {self.rows:,}; settled records that no flow looks at: {self.settled:,}; "
            f"lake files written together: {self.compacted:,}, removed: {self.vacuumed:,}"
        )


def enforce(engine: Engine) -> Enforced:
    """Apply every partner's periods, as of now; a partner whose YAML cannot be read is kept to the house's own."""
    known = engine.partners().partners
    periods = {partner: _periods(known.get(partner)) for partner in sorted({*known, *_partners(engine.home)})}
    done, sealed = Enforced(), _sealed(engine)
    for partner, retention in periods.items():
        done += _landed(engine, partner, retention, sealed[partner]) + _staged(engine, partner) + _quarantine(engine, partner, retention)
        done += _receipts(engine, partner, retention) + _loans(engine, partner, retention) + _rows(engine, partner, retention)
        if partner in known:
            flows = {name: flow.looks_back for name, flow in known[partner].flows.items() if isinstance(flow, OutboundFlow)}
            done += Enforced(settled=sum(settled.forget(engine, partner, name, back) for name, back in flows.items() if back))
            done += Enforced(archived=archive.clear(engine, known[partner], retention.archive))
    return done + _lake(engine, min((one.lake_history for one in periods.values()), default=Retention().lake_history))


def _periods(partner: Partner | None) -> Retention:
    return partner.retention if partner else Retention()


def _partners(home: Path) -> set[str]:
    """Whoever has something here, also when their YAML is gone."""
    return {folder.name for area in ("landing", STAGING, store.FOLDER, RECEIPTS) for folder in (home / area).glob("*") if folder.is_dir()}


def _landed(engine: Engine, partner: str, retention: Retention, ids: Iterable[str]) -> Enforced:
    """Landed bytes: the delivery's key is destroyed, so that copies in backups are gone too; its quarantine stays under a key of its own."""
    why = f"retention: {retention.landed.days} days after receipt"
    gone = 0
    for id in ids:
        delivery = _delivery(engine, id)
        if delivery is not None and delivery.partner == partner and _older(delivery, retention.landed) and not _in_use(engine, delivery):
            gone += bool(kept.close(engine.home, engine.ledger, engine.keys, delivery, why))
    return Enforced(landed=gone)


def _sealed(engine: Engine) -> dict[str, list[str]]:
    """Ids of the deliveries whose key is alive, by partner: an id begins with its partner's."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in key_rows.find(engine.ledger, purpose=kept.DELIVERY_KEY):
        found[row.subject.partition("__")[0]].append(row.subject)
    return found


def _staged(engine: Engine, partner: str) -> Enforced:
    gone = 0
    for folder in sorted((engine.home / STAGING / partner).glob("*")):
        delivery = _delivery(engine, folder.name)
        if delivery is not None and _in_doubt(engine, delivery):
            continue
        ended = delivery.finished_at if delivery and delivery.state in FINISHED else None
        if delivery is None or (ended is not None and ended < clock.now() - _LEFT_OVER):
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return Enforced(staged=gone)


def _in_doubt(engine: Engine, delivery: Delivery) -> bool:
    """What may have left stays as it was rendered, so that clearing the run sends the same bytes; until a person says that it is not coming, or
    its key goes with the landed bytes' period."""
    return (
        delivery.state in {State.FAILED, State.BLOCKED, State.HELD}
        and delivery.dismissed_at is None
        and parts.fixed(engine.ledger, delivery.id)
    )


def _quarantine(engine: Engine, partner: str, retention: Retention) -> Enforced:
    gone = 0
    for folder in sorted((engine.home / store.FOLDER / partner).glob("*")):
        delivery = _delivery(engine, folder.name)
        if delivery is None or not _older(delivery, retention.quarantine) or delivery.state in IN_FLIGHT:
            continue
        for uri in store.blobs(engine.home, partner, delivery.id):
            store.discard(engine.home, uri)
        engine.keys.destroy_all(engine.keys.find(kept.QUARANTINE_KEY, delivery.id), why="retention: quarantine")
        still = quarantined.find(engine.ledger, delivery_id=delivery.id, state=Fate.OPEN, limit=_ALL)
        quarantined.set_state(engine.ledger, [one.id for one in still], Fate.DISCARDED, note="retention")
        shutil.rmtree(folder, ignore_errors=True)
        gone += 1
    return Enforced(quarantine=gone)


def _receipts(engine: Engine, partner: str, retention: Retention) -> Enforced:
    gone = 0
    for file in sorted((engine.home / RECEIPTS / partner).glob("*")):
        delivery = _delivery(engine, file.name.partition(".")[0])
        if delivery is not None and _older(delivery, retention.receipts):
            file.unlink(missing_ok=True)
            gone += 1
    return Enforced(receipts=gone)


def _loans(engine: Engine, partner: str, retention: Retention) -> Enforced:
    done = unlink(engine.lake, partner, (clock.now() - retention.loan_patron_link).date())
    if done is None or not done.rows:
        return Enforced()
    manifests.pin(engine.ledger, None, {"loan": Versions(done.version_before, done.version_after)})
    return Enforced(loans=done.rows)


def _rows(engine: Engine, partner: str, retention: Retention) -> Enforced:
    """Rows of the tables whose contract says for how long."""
    gone, now = 0, clock.now()
    arrived = {one.id: one.seen_at.date() for one in deliveries.find(engine.ledger, partner=partner, limit=_ALL)}
    for table in lake_tables(engine.lake):
        contract = engine.contract(table)
        if contract.keep_by is None or contract.keep_days is None:
            continue
        period = retention.tables.get(table, timedelta(days=contract.keep_days))
        done = forget(engine.lake, table, partner, contract.keep_by, (now - period).date(), arrived)
        if done is not None and done.rows:
            manifests.pin(engine.ledger, None, {table: Versions(done.version_before, done.version_after)})
            gone += done.rows
    return Enforced(rows=gone)


def _lake(engine: Engine, history: timedelta) -> Enforced:
    """One table holds all partners, so the shortest of their periods counts."""
    done = Enforced()
    for table in sorted(folder.name for folder in (engine.home / "lake").glob("*") if folder.is_dir()):
        before = newest(engine.lake, table)
        if before is None:
            continue
        together = maintenance.compact(engine.lake, table)
        after = newest(engine.lake, table)
        if after is not None and after != before:
            manifests.pin(engine.ledger, None, {table: Versions(before, after)})
        cleared = maintenance.vacuum(engine.lake, table, keep_days=history / timedelta(days=1))
        done += Enforced(compacted=together, vacuumed=cleared.files)
    return done


def _older(delivery: Delivery, than: timedelta) -> bool:
    return delivery.seen_at < clock.now() - than


def _in_use(engine: Engine, delivery: Delivery) -> bool:
    """At work, or about to be read by a replay."""
    waiting = {*IN_FLIGHT, State.SEEN}
    return delivery.state in waiting or bool(deliveries.find(engine.ledger, origin=delivery.id, states=waiting, limit=1))


def _delivery(engine: Engine, id: str) -> Delivery | None:
    try:
        return deliveries.get(engine.ledger, id)
    except UnknownDelivery:
        return None
