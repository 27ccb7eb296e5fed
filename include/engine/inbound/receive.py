"""Receive and stage: the partner's bytes kept as they came, then read into staged tables; what cannot be read is set aside."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.errors import Refused, Unreachable
from include.engine.failpoints import point
from include.engine.inbound.connector import Inbound
from include.engine.inbound.ending import ending
from include.engine.inbound.pulled import pulled
from include.engine.inbound.stage import stage
from include.engine.inbound.work import UNFINISHED, Outcome, flow_of, key_of, nothing_to_do
from include.engine.ledger import claims, deliveries
from include.engine.partner.settings import InboxFlow, PulledFlow
from include.engine.reasons import words
from include.engine.storage.landing import Landed, land
from include.engine.storage.seen import Seen
from include.engine.storage.uri import Location, parse

_STOPPED = frozenset({State.BLOCKED, State.HELD, State.FAILED})


def receive(engine: Engine, delivery_id: str, connector: Inbound) -> Outcome:
    """Land and stage one delivery. Ends it as `duplicate` when the same bytes were published before.

    Cleared before publish, it is done again with today's settings (from the landed bytes, if they are there); after, nothing happens.
    Raises Refused, Held, StaleToken, Unreachable and whatever a setting or credential lacks.
    """
    delivery = _begin(engine, deliveries.get(engine.ledger, delivery_id))
    if delivery.state not in UNFINISHED:
        return nothing_to_do(delivery)
    token = claims.take(engine.ledger, delivery.id, "receive")
    point("receive.claimed")
    with ending(engine, token):
        if code := delivery.facts.get("refused"):
            values = {"value": delivery.path, "expected": delivery.facts.get("expected", "")}
            raise Refused(words(code, "en", **values), where=delivery.id, code=code, values=values)
        delivery = _landed(engine, delivery, token, connector)
        same = deliveries.duplicate_of(engine.ledger, delivery, delivery.content_hash or "")
        if same is not None:
            ended = claims.advance(engine.ledger, token, State.DUPLICATE, reason="FILE_DUPLICATE", message=f"the same bytes as {same.id}")
            return Outcome(ended.id, ended.state, f"the same bytes as {same.id}: nothing is read again")
    return stage(engine, delivery, token, connector)


def _begin(engine: Engine, delivery: Delivery) -> Delivery:
    """A delivery that stopped is opened again (its task was cleared); one that nobody claimed is claimed now (its run was started by hand)."""
    if delivery.state in _STOPPED:
        opened = claims.reopen(engine.ledger, delivery.id)
    elif delivery.state == State.SEEN:
        opened = claims.claim(engine.ledger, delivery.id)
    else:
        return delivery
    if opened is None:
        raise Unreachable("another delivery of this table goes first.", where=delivery.id, do="It is tried again when that one is done.")
    return opened


def _landed(engine: Engine, delivery: Delivery, token: Token, connector: Inbound) -> Delivery:
    if "landed" in delivery.facts:
        return delivery
    flow = flow_of(engine.partner(delivery.partner), delivery)
    point("receive.landing")
    landed = pulled(engine, delivery, token, connector) if isinstance(flow, PulledFlow) else _from_inbox(engine, delivery, flow)
    point("receive.landed")
    inside = Path(parse(landed.uri).path).relative_to(engine.home)  # relative: the home may be moved
    kept = {**asdict(landed), "uri": str(Location("file", "", str(inside)))}
    noted = claims.note(engine.ledger, token, content_hash=landed.content_hash, landed=kept)
    if isinstance(flow, PulledFlow):
        return noted
    if deliveries.other_bytes_before(engine.ledger, noted):
        return claims.note(engine.ledger, token, remarks=[*noted.facts.get("remarks", []), "FILE_REDELIVERED"])
    return noted


def _from_inbox(engine: Engine, delivery: Delivery, flow: InboxFlow) -> Landed:
    path = delivery.path or ""
    expect = Seen(path, delivery.size or 0, delivery.mtime_ns or 0)
    with engine.store(delivery.source_uri or flow.inbox) as store:
        root, key = engine.home / "landing" / delivery.partner / delivery.id, key_of(engine, delivery)
        return land(store, path, root=root, key=key, expect=expect, most_bytes=flow.largest)
