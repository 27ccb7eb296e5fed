"""Confirm: what was sent is settled, the receipt goes out, the sealed files go. It runs whatever became of the delivery."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.compute as pc

from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.errors import SettingsError
from include.engine.failpoints import point
from include.engine.inbound.ending import stopped
from include.engine.inbound.leftovers import sweep
from include.engine.inbound.work import TO_FINISH, UNFINISHED, Outcome, turn
from include.engine.ledger import claims, manifests, parts
from include.engine.ledger.manifests import Versions
from include.engine.outbound import settled
from include.engine.outbound.again import resolve
from include.engine.outbound.answers import note, refusal
from include.engine.outbound.connector import DIGEST, RECORD, Outbound
from include.engine.outbound.work import accepted, anything, left_out, refused_records, work_on
from include.engine.receipts.compose import compose
from include.engine.receipts.send import send as send_receipt

log = logging.getLogger("bindery")


def confirm(engine: Engine, delivery_id: str, connector: Outbound) -> Outcome:
    """Finish a delivery. One whose steps gave up ends as `failed`. If part of one that failed, or was blocked, may have left, its sealed parts are
    kept, so that clearing its run sends them as they are. One that the receiver says it took nothing of ends as `retracted`: what was in it is due again."""
    delivery, token = turn(engine, delivery_id, "confirm", TO_FINISH)
    if token is None:
        return Outcome(delivery.id, delivery.state, "nothing to confirm")
    point("confirm.before")
    rehearsed = delivery.state == State.GATED and delivery.status == "test" and "would_send" in delivery.facts
    if delivery.state in UNFINISHED and not rehearsed:
        delivery = claims.advance(engine.ledger, token, State.FAILED, counts=stopped(delivery.counts))
    told: State = State.ACKNOWLEDGED if rehearsed or delivery.state == State.PUBLISHED else delivery.state
    if delivery.state == State.PUBLISHED:
        delivery, told = _heard(engine, delivery, token, connector)
        if told == State.ACKNOWLEDGED:
            delivery = _settle(engine, delivery, token)
    if told == State.ACKNOWLEDGED:  # what an earlier try had trouble with is over
        delivery = replace(delivery, reason=None, message=None)
    went = _receipt(engine, delivery, told)
    point("confirm.receipt")
    if told in {State.ACKNOWLEDGED, State.RETRACTED} or not parts.fixed(engine.ledger, delivery.id):
        sweep(engine, delivery)
    point("confirm.purged")
    if told in {State.ACKNOWLEDGED, State.RETRACTED}:
        reason, message = (None, None) if told == State.ACKNOWLEDGED else (delivery.reason, delivery.message)
        delivery = claims.advance(engine.ledger, token, told, reason=reason, message=message)
    return Outcome(delivery.id, delivery.state, f"receipt in {', '.join(went) or 'nothing but the ledger'}")


def _heard(engine: Engine, delivery: Delivery, token: Token, connector: Outbound) -> tuple[Delivery, State]:
    """What the receiver says of it, put on the delivery."""
    try:
        work = work_on(engine, delivery, connector)
    except SettingsError as error:
        log.error("%s: the receiver cannot be asked, for the partner's settings: %s", delivery.id, error)
        return delivery, State.ACKNOWLEDGED
    answers = connector.confirm(work, parts.of(engine.ledger, delivery.id)) if parts.of(engine.ledger, delivery.id) else ()
    if answers:
        delivery = note(engine, delivery, token, answers)
    refused = refusal(answers)
    if refused is None:
        return delivery, State.ACKNOWLEDGED
    counts = delivery.counts
    held = claims.note(
        engine.ledger, token, reason=refused.code, message=refused.words, counts=replace(counts, published=0, held=counts.published)
    )
    return held, State.RETRACTED


def _settle(engine: Engine, delivery: Delivery, token: Token) -> Delivery:
    """Enter in the lake what this delivery is done with, and pin it."""
    if "published" in delivery.facts:  # an earlier try got as far, and may have taken the sealed rows away
        return delivery
    refused = refused_records(engine, delivery)
    done = settled.settle(engine, delivery, lambda: _settled(engine, delivery, refused), lambda: claims.check(engine.ledger, token))
    point("confirm.settled")
    with engine.ledger.begin() as tx:
        manifests.pin(engine.ledger, delivery.id, {settled.TABLE: Versions(done.version_before, done.version_after)}, tx=tx)
        resolve(engine, delivery, tx)
        return claims.note(engine.ledger, token, tx=tx, published={settled.TABLE: asdict(done)})


def _settled(engine: Engine, delivery: Delivery, refused: set[str]) -> Iterator[pa.RecordBatch]:
    """Batches of record, outcome, digest."""
    if anything(engine, delivery):
        turned_down = pa.array(sorted(refused), pa.string())
        for batch in accepted(engine, delivery):
            outcome = pc.if_else(pc.is_in(batch.column(RECORD), value_set=turned_down), "waits", "sent")
            digest = batch.column(DIGEST) if DIGEST in batch.schema.names else pa.nulls(batch.num_rows, pa.int64())
            yield pa.RecordBatch.from_pydict({"record": batch.column(RECORD), "outcome": outcome, "digest": digest})
    for batch in left_out(engine, delivery):
        columns = {"record": batch.column(RECORD), "outcome": batch.column("outcome"), "digest": batch.column(DIGEST)}
        yield pa.RecordBatch.from_pydict(columns)


def _receipt(engine: Engine, delivery: Delivery, told: State) -> list[str]:
    """The receipt, as far as the partner's settings can be read: a mistake in them must not keep a delivery from ending."""
    try:
        partner = engine.partner(delivery.partner)
    except SettingsError as error:
        log.error("%s: the receipt waits for the partner's settings: %s", delivery.id, error)
        return []
    return send_receipt(engine, partner, None, delivery, compose(engine, delivery, told, partner.language, partner.timezone))
