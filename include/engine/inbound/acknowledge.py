"""Acknowledge: the receipt goes out, the source is archived, the staged bytes go. It runs whatever became of the delivery."""

from __future__ import annotations

import logging
from dataclasses import replace

from include.engine.clock import now
from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.errors import BinderyError, Refused, SettingsError
from include.engine.failpoints import point
from include.engine.inbound import archive
from include.engine.inbound.connector import Inbound
from include.engine.inbound.ending import stopped
from include.engine.inbound.leftovers import sweep
from include.engine.inbound.work import TO_FINISH, UNFINISHED, Outcome, flow_of, turn
from include.engine.ledger import claims, publishing
from include.engine.partner.settings import InboxFlow, Partner, PulledFlow, spec_for
from include.engine.receipts.compose import compose
from include.engine.receipts.send import send
from include.engine.storage.readiness import marker as marker_of

log = logging.getLogger("bindery")


def acknowledge(engine: Engine, delivery_id: str, _connector: Inbound) -> Outcome:
    """Finish a delivery. One whose steps gave up (no try left) ends as `failed`; its source stays where it is, and its bytes are kept."""
    delivery, token = turn(engine, delivery_id, "acknowledge", TO_FINISH)
    if token is None:
        return Outcome(delivery.id, delivery.state, "nothing to acknowledge")
    point("acknowledge.before")
    partner, flow = _settings(engine, delivery)
    rehearsed = delivery.state == State.GATED and delivery.status == "test" and "would" in delivery.facts
    if delivery.state in UNFINISHED and not rehearsed:
        delivery = claims.advance(engine.ledger, token, State.FAILED, counts=stopped(delivery.counts))
    told = State.ACKNOWLEDGED if rehearsed or delivery.state == State.PUBLISHED else delivery.state
    if told == State.ACKNOWLEDGED:  # what an earlier try had trouble with is over
        delivery = replace(delivery, reason=None, message=None)
    went: list[str] = []
    if partner is not None:
        went = send(engine, partner, flow, delivery, compose(engine, delivery, told, partner.language, partner.timezone))
        point("acknowledge.receipt")
        if isinstance(flow, InboxFlow) and delivery.state != State.FAILED and delivery.origin is None:
            _archive(engine, flow, delivery, token)
        point("acknowledge.archived")
    publishing.end(engine.ledger, delivery.id)  # one that stopped between two commits keeps no reader waiting
    sweep(engine, delivery)
    point("acknowledge.purged")
    if told == State.ACKNOWLEDGED:
        delivery = claims.advance(engine.ledger, token, State.ACKNOWLEDGED, reason=None, message=None)
    return Outcome(delivery.id, delivery.state, f"receipt in {', '.join(went) or 'nothing but the ledger'}")


def _settings(engine: Engine, delivery: Delivery) -> tuple[Partner | None, InboxFlow | PulledFlow | None]:
    """The partner's settings as far as they can be read: a mistake in them must not keep a delivery from ending."""
    try:
        partner = engine.partner(delivery.partner)
        return partner, flow_of(partner, delivery)
    except SettingsError as error:
        log.error("%s: the receipt waits for the partner's settings: %s", delivery.id, error)
        return None, None


def _archive(engine: Engine, flow: InboxFlow, delivery: Delivery, token: Token) -> None:
    """Do with the source what the YAML says, if it is still the file that was taken in; a newer one of that name is left alone."""
    name = (delivery.path or "").rpartition("/")[2]
    spec = spec_for(flow, name)
    after = flow.after_for(spec)
    if after == "leave" or delivery.source_uri is None or delivery.path is None:
        return
    try:
        with engine.store(delivery.source_uri) as store:
            there = store.stat(delivery.path)
            if there.refused or (there.size, there.mtime_ns) != (delivery.size, delivery.mtime_ns):
                return
            claims.check(engine.ledger, token)
            marker = marker_of(delivery.path, flow.ready_for(spec))
            # The marker first: without its data it would never be looked for again.
            for path in [marker, delivery.path] if marker and store.exists(marker) else [delivery.path]:
                if after == "delete":
                    store.delete(path)
                else:
                    store.rename(path, archive.place(path, delivery.id, now()), overwrite=True)
                point("acknowledge.moved")
    except Refused as gone:
        log.info("%s: the source is not there any more: %s", delivery.id, gone.code)
    except BinderyError as trouble:
        if trouble.code != "INBOX_READ_ONLY":
            raise
        log.warning("%s: the source stays in its inbox, which is read-only: %s", delivery.id, trouble)
