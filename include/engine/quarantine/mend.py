"""A record that a person has mended: a delivery of its own, linked to the one it was set aside from. The original stays as it came."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import sqlalchemy as sa

from include.engine import clock
from include.engine.crypto.keys import DataKey
from include.engine.delivery import IN_FLIGHT, Delivery, NewDelivery, State, delivery_id
from include.engine.engine import Engine
from include.engine.errors import BinderyError, WrongState
from include.engine.inbound.work import KEY
from include.engine.ledger import audit, deliveries, quarantined
from include.engine.partner.settings import InboxFlow
from include.engine.quarantine.decide import undecided
from include.engine.storage.landing import land_bytes
from include.engine.storage.uri import Location, parse


def mend(engine: Engine, id: int, content: bytes, *, who: str) -> Delivery:
    """Enter `content`, a file that holds the mended record `id` alone, as a delivery that dispatch starts at its next look.

    It is a delta, also where the original was a full export. Its bytes are sealed with the original's key: whoever is erased from that, or
    when its retention is over, they are gone too. Asked for again while it has not ended, it is the same delivery. WrongState when the
    record is decided, or its delivery was fetched or not taken in: what was blocked is delivered anew, not record by record.
    """
    row = quarantined.get(engine.ledger, id)
    origin = deliveries.get(engine.ledger, row.delivery_id)
    _may_be_mended(engine, origin)
    before = _under_way(engine, id, origin, None)
    if before is not None:
        return before
    undecided(row)
    now = clock.now()
    new_id = delivery_id(origin.partner, origin.table, now, origin.path or "", len(content), 0, salt=f"mended {id} {now.isoformat()}")
    landed = land_bytes(iter([content]), root=engine.home / "landing" / origin.partner / new_id, key=_key(engine, origin, new_id))
    inside = Path(parse(landed.uri).path).relative_to(engine.home)
    new = NewDelivery(
        id=new_id,
        partner=origin.partner,
        flow=origin.flow,
        table=origin.table,
        seen_at=now,
        mode="delta" if origin.mode == "full" else origin.mode,
        status=engine.partner(origin.partner).status,
        source_uri=origin.source_uri,
        path=origin.path,
        size=len(content),
        origin=origin.id,
        after_block=origin.after_block,
        facts={"landed": {**asdict(landed), "uri": str(Location("file", "", str(inside)))}, "mended": {"quarantined": id, "who": who}},
    )
    made = None
    try:
        with engine.ledger.begin() as tx:
            engine.ledger.lock(tx, f"quarantined {id}")
            if (before := _under_way(engine, id, origin, tx)) is not None:
                return before
            undecided(quarantined.get(engine.ledger, id, tx=tx))  # somebody may have decided while the bytes were written
            made = deliveries.see(engine.ledger, new, tx=tx)
            facts = {"quarantined": id, "delivery": made.id, "sha256": hashlib.sha256(content).hexdigest()}
            audit.record(engine.ledger, who, "mend", origin.id, facts, tx=tx)
            return made
    finally:
        if made is None:
            parse(new.facts["landed"]["uri"]).local(engine.home).unlink(missing_ok=True)


def mendable(engine: Engine, origin: Delivery) -> bool:
    """Whether a record of this delivery can be mended here: it came as a file, the rest of it was taken in, and its partner's YAML is right."""
    try:
        _may_be_mended(engine, origin)
    except BinderyError:
        return False
    return True


def _may_be_mended(engine: Engine, origin: Delivery) -> None:
    flow = engine.partner(origin.partner).flows.get(origin.flow)
    if origin.state not in {State.PUBLISHED, State.ACKNOWLEDGED} or not isinstance(flow, InboxFlow):
        raise WrongState(
            "only a record of a file that was taken in can be mended here.", where=origin.id, do="Mend the cause and replay.",
            code="MEND_REFUSED",
        )  # fmt: skip


def _under_way(engine: Engine, id: int, origin: Delivery, tx: sa.Connection | None) -> Delivery | None:
    found = deliveries.find(engine.ledger, origin=origin.id, states={State.SEEN, *IN_FLIGHT}, tx=tx)
    return next((one for one in found if one.facts.get("mended", {}).get("quarantined") == id), None)


def _key(engine: Engine, origin: Delivery, new_id: str) -> DataKey:
    alive = engine.keys.find(KEY, origin.id)
    return engine.keys.get(alive[0]) if alive else engine.keys.ensure(KEY, new_id)
