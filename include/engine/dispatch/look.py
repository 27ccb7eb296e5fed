"""One round of dispatch: look, enter, claim, and name the runs to start."""

from __future__ import annotations

import logging
from datetime import timedelta

from include.engine import clock
from include.engine.alerts.send import tell
from include.engine.delivery import Delivery
from include.engine.dispatch.calendar import tell_missing
from include.engine.dispatch.inboxes import abandoned, due, enter_all, watched
from include.engine.dispatch.schedules import start_due
from include.engine.engine import Engine
from include.engine.failpoints import point
from include.engine.ledger import claims, inbox, notices, pauses, queue
from include.engine.ledger.notices import Notice

log = logging.getLogger("bindery.dispatch")

PATIENCE = 45.0
"""Seconds that a round waits for inboxes: dispatch runs every minute."""
LOST_AFTER = timedelta(minutes=5)
"""A claim whose run has not begun by then was lost on the way, and is started again."""
SILENT_AFTER = timedelta(hours=2)
"""Of a delivery in flight to which nothing has happened for so long, a notice stands."""
_AT_ONCE = 100
MOST = 1000
"""Runs started in one round (Airflow's max_map_length is 1,024)."""


def look(engine: Engine, patience: float = PATIENCE) -> list[Delivery]:
    """Look into what is due, and claim the first of each line (partner, table). Returns the deliveries whose runs are to be started now."""
    with engine.ledger.kept_open():
        return _round(engine, patience)


def _round(engine: Engine, patience: float) -> list[Delivery]:
    found = engine.partners()
    notices.replace(engine.ledger, [Notice(one.partner, one.file, one.line, one.message) for one in found.mistakes] + _silent(engine))
    for mistake in found.mistakes:
        log.error("partner %s is out until its YAML is mended: %s", mistake.partner, mistake)
    now = clock.now()
    partners = pauses.without(found.partners.values(), pauses.find(engine.ledger))
    inboxes = watched(partners)
    looks = inbox.looks(engine.ledger)
    if gone := abandoned(found, looks):
        inbox.forget(engine.ledger, gone)
    looked = due(inboxes, looks, now)
    seen = enter_all(engine, looked, now, patience)
    started = start_due(engine, partners, now)
    missing = tell_missing(engine, inboxes, now)
    point("dispatch.entered")
    words = "%d inboxes looked into, %d deliveries seen anew, %d schedules due, %d files expected that have not come"
    log.info(words, len(looked), seen, started, missing)
    enabled = {(one.id, name) for one in partners for name, flow in one.flows.items() if flow.enabled}
    start = (_lost(engine) + claim_next(engine, enabled))[:MOST]
    tell(engine, found.partners.values())
    point("dispatch.claimed")
    return start


def claim_next(engine: Engine, enabled: set[tuple[str, str]]) -> list[Delivery]:
    """Claim the oldest delivery of each line that nothing stands in the way of; those of a disabled partner or flow stay where they are."""
    heads = [one.id for one in queue.next_in_line(engine.ledger) if (one.partner, one.flow) in enabled]
    claimed: list[Delivery] = []
    while heads and (room := MOST - len(claimed)):  # a head that has to wait takes no other's place among the MOST
        some = min(room, _AT_ONCE)
        claimed += claims.claim_all(engine.ledger, heads[:some])
        heads = heads[some:]
    return claimed


def _silent(engine: Engine) -> list[Notice]:
    """Deliveries in flight to which nothing has happened for long: a line that stands, and nobody is told by a red run."""
    silent = claims.stuck(engine.ledger, clock.now() - SILENT_AFTER)
    for one in silent:
        log.warning("%s is %s, and nothing has happened to it since %s", one.id, one.state, one.touched_at)
    words = "in flight ({state}), and nothing has happened since {at:%Y-%m-%d %H:%M} UTC: look at its run; cleared, it goes on"
    return [Notice(one.partner, one.id, None, words.format(state=one.state, at=one.touched_at)) for one in silent]


def _lost(engine: Engine) -> list[Delivery]:
    lost = claims.untriggered(engine.ledger, clock.now() - LOST_AFTER)
    for one in lost:
        log.warning("%s was claimed at %s and its run never began: it is started again", one.id, one.claimed_at)
    return lost
