"""What has been kept long enough goes: the nightly work behind `retention.enforce`. docs/flows/retention.md

Each step looks at what is there and may be done again; a night that is missed is made up for by the next one.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from pathlib import Path

from include.engine import clock
from include.engine.contract.loading import SUFFIX
from include.engine.delivery import FINISHED, IN_FLIGHT, Delivery, State
from include.engine.engine import Engine
from include.engine.erasure import kept
from include.engine.errors import BinderyError, SettingsError, UnknownDelivery
from include.engine.inbound import archive
from include.engine.lake import maintenance
from include.engine.lake.query import tables as lake_tables
from include.engine.lake.read import newest
from include.engine.ledger import deliveries, history, manifests, parts, quarantined
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

log = logging.getLogger("bindery")

HISTORY = "BINDERY_HISTORY_DAYS"
"""After how many days the steps of a delivery that is over go from the ledger, the rules that held, the records that nobody has to decide on, and
its receipts' rows; they stay where it is not set."""
SHORTEST = 31
"""Days: the board looks back a month."""
_SEALED = (kept.DELIVERY_KEY, kept.QUARANTINE_KEY)
_LEFT_OVER = timedelta(days=1)  # staged bytes go at acknowledge: what is older is what a crash left


@dataclass(frozen=True)
class Enforced:
    """How much went: deliveries whose landed bytes, staged bytes and quarantine went, receipts, loans that lost their patron, lake files;
    `told`: the ledger's rows of receipts."""

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
    histories: int = 0
    told: int = 0

    def __add__(self, other: Enforced) -> Enforced:
        return Enforced(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})

    def __str__(self) -> str:
        return (
            f"deliveries whose landed bytes went: {self.landed:,}, staged left-overs: {self.staged:,}, quarantine: {self.quarantine:,}; "
            f"receipts: {self.receipts:,}; files in inboxes' archives: {self.archived:,}; loans without their patron now: {self.loans:,}; "
            f"rows of tables that have a period: {self.rows:,}; settled records that no flow looks at: {self.settled:,}; "
            f"lake files written together: {self.compacted:,}, removed: {self.vacuumed:,}; "
            f"deliveries whose history went: {self.histories:,}, rows of receipts: {self.told:,}"
        )


def enforce(engine: Engine) -> Enforced:
    """Apply every partner's periods and the installation's, as of now; a partner whose YAML cannot be read is kept to the house's own.

    What cannot be done (a damaged file, a table that is busy) keeps nothing else from going: the first such error is raised at the end.
    """
    known = engine.partners().partners
    sealed = key_rows.of_deliveries(engine.ledger, kept.DELIVERY_KEY)
    periods = {partner: _periods(known.get(partner)) for partner in sorted({*known, *sealed, *_partners(engine.home)})}
    done, troubles = Enforced(), _Troubles()
    with engine.keys.together():
        for partner, retention in periods.items():
            for step in _steps(engine, partner, retention, known.get(partner), sealed.get(partner, ()), troubles):
                done += troubles.around(partner, step)
        lake_history = min((one.lake_history for one in periods.values()), default=Retention().lake_history)
        done += troubles.around("the lake", lambda: _lake(engine, lake_history))
        done += troubles.around("the ledger", lambda: _histories(engine, periods))
    if troubles.found:
        log.info("%s", done)
        raise troubles.found[0]
    return done


class _Troubles:
    """What could not be done, so that the rest is."""

    def __init__(self) -> None:
        self.found: list[BinderyError] = []

    def around(self, whose: str, work: Callable[[], Enforced]) -> Enforced:
        """What `work` did; nothing, where it met an error of ours."""
        try:
            return work()
        except BinderyError as trouble:
            log.error("retention of %s: %s", whose, trouble)
            self.found.append(trouble)
            return Enforced()


def _steps(
    engine: Engine, partner: str, retention: Retention, known: Partner | None, sealed: Iterable[str], troubles: _Troubles
) -> list[Callable[[], Enforced]]:
    """What there is to do for a partner; `known` is None where the YAML is gone or has a mistake."""
    steps: list[Callable[[], Enforced]] = [
        lambda: _landed(engine, retention, sealed, troubles),
        lambda: _staged(engine, partner),
        lambda: _quarantine(engine, partner, retention),
        lambda: _receipts(engine, partner, retention),
        lambda: _loans(engine, partner, retention),
        lambda: _rows(engine, partner, retention),
    ]
    if known is not None:
        steps += [partial(_settled, engine, known), partial(_archived, engine, known, retention)]
    return steps


def _settled(engine: Engine, partner: Partner) -> Enforced:
    flows = {name: flow.looks_back for name, flow in partner.flows.items() if isinstance(flow, OutboundFlow)}
    return Enforced(settled=sum(settled.forget(engine, partner.id, name, back) for name, back in flows.items() if back))


def _archived(engine: Engine, partner: Partner, retention: Retention) -> Enforced:
    return Enforced(archived=archive.clear(engine, partner, retention.archive))


def _periods(partner: Partner | None) -> Retention:
    return partner.retention if partner else Retention()


def _partners(home: Path) -> set[str]:
    """Whoever has something here, also when their YAML is gone."""
    return {folder.name for area in ("landing", STAGING, store.FOLDER, RECEIPTS) for folder in (home / area).glob("*") if folder.is_dir()}


def _landed(engine: Engine, retention: Retention, ids: Iterable[str], troubles: _Troubles) -> Enforced:
    """Landed bytes: the delivery's key is destroyed, so that copies in backups are gone too; its quarantine stays under a key of its own."""
    why = f"retention: {retention.landed.days} days after receipt"

    def close(delivery: Delivery) -> Enforced:
        return Enforced(landed=bool(kept.close(engine.home, engine.ledger, engine.keys, delivery, why)))

    done = Enforced()
    for id in ids:
        delivery = deliveries.get(engine.ledger, id)
        if _older(delivery, retention.landed) and not _in_use(engine, delivery):
            done += troubles.around(id, partial(close, delivery))
    return done


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
        quarantined.end(engine.ledger, delivery.id, Fate.DISCARDED, note="retention")
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
    for table in lake_tables(engine.lake):
        if not (engine.contracts_folder / f"{table}{SUFFIX}").exists():  # a table that was given up
            continue
        contract = engine.contract(table)
        if contract.keep_by is None or contract.keep_days is None:
            continue
        arrived = deliveries.days(engine.ledger, partner)
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


def history_period(environment: Mapping[str, str] = os.environ) -> timedelta | None:
    """How long the history of a delivery is kept; None for as long as there is a ledger. SettingsError for what is no number of days from 31."""
    said = environment.get(HISTORY, "").strip()
    if not said:
        return None
    if not said.isdecimal() or not SHORTEST <= int(said) <= 36500:
        raise SettingsError(f"{HISTORY} must be a whole number of days from {SHORTEST} to 36500.", do="Mend it, or leave it out.")
    return timedelta(days=int(said))


def _histories(engine: Engine, periods: Mapping[str, Retention]) -> Enforced:
    period = history_period()
    if period is None:
        return Enforced()
    now = clock.now()
    gone = history.forget(engine.ledger, now - period, sealed=_SEALED)
    told = (
        history.forget_receipts(engine.ledger, partner, now - period, seen_before=now - retention.receipts, sealed=_SEALED)
        for partner, retention in periods.items()
    )
    return Enforced(histories=gone, told=sum(told))


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
