"""A delivery again, from its kept bytes: all of it, one record, or all that was set aside for one reason. docs/flows/replay.md"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.approval import approved_as
from include.engine.delivery import IN_FLIGHT, Delivery, NewDelivery, State, delivery_id
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.ledger import audit, claims, deliveries, quarantined
from include.engine.outbound.again import entered, is_outbound, send_again
from include.engine.storage.landing import Landed, open_landed


def replay(
    engine: Engine,
    origin_id: str,
    *,
    reason: str | None = None,
    record: int | None = None,
    member: str = "",
    who: str,
    approved: bool = False,
    still: Callable[[sa.Connection], None] | None = None,
) -> Delivery:
    """Enter a new delivery, linked to `origin_id`, that dispatch starts at its next look: with today's settings and contract.

    Only part of a delivery is always a delta, also where the whole was a full export: it must not delete what it does not name. Asked for
    again while it has not ended, it is the same one: a form that is sent twice makes one delivery. `still` is called in the transaction
    that enters it, and may raise.
    Raises WrongState when nothing was kept or nothing fits, KeyDestroyed when its bytes were erased or have passed their retention.
    """
    origin = deliveries.get(engine.ledger, origin_id)
    if is_outbound(origin):
        return send_again(engine, origin, {"reason": reason, "record": record, "member": member}, who=who, approved=approved, still=still)
    if "landed" not in origin.facts:
        raise WrongState("nothing of this delivery was kept.", where=origin.id, do="Ask the partner to deliver it again.")
    if origin.state in {State.SEEN, State.CLAIMED, State.STAGED, State.GATED}:
        raise WrongState(f"this delivery is still {origin.state}.", where=origin.id, do="Wait until it has ended.")
    open_landed(Landed(**origin.facts["landed"]), engine.keys, home=engine.home).close()
    asked: dict[str, Any] = {}
    if reason is not None:
        asked["reason"] = reason
        if not quarantined.find(engine.ledger, delivery_id=origin.id, reason=reason, limit=1):
            raise WrongState(f"no record of this delivery was set aside for {reason}.", where=origin.id)
    if record is not None:
        asked |= {"record": record, "member": member}
    now = clock.now()
    mode = "delta" if asked and origin.mode == "full" else origin.mode
    new = NewDelivery(
        id=delivery_id(origin.partner, origin.table, now, origin.path or "", origin.size or 0, origin.mtime_ns or 0, salt=now.isoformat()),
        partner=origin.partner,
        flow=origin.flow,
        table=origin.table,
        seen_at=now,
        mode=mode,
        status=engine.partner(origin.partner).status,
        source_uri=origin.source_uri,
        path=origin.path,
        size=origin.size,
        mtime_ns=origin.mtime_ns,
        origin=origin.id,
        origin_filter=asked or None,
        after_block=origin.after_block,
        facts={"landed": origin.facts["landed"], **({"approved": who} if approved else {})},
    )
    return entered(engine, new, who=who, deed="replay", still=still)


def answer(engine: Engine, stopped_id: str, *, yes: bool, who: str) -> Delivery:
    """A person's answer: yes replays a held delivery with its brakes off; no dismisses one that is held, blocked or failed, so that those
    that wait behind it go on."""
    stopped = deliveries.get(engine.ledger, stopped_id)
    if yes and stopped.state != State.HELD:
        raise WrongState(
            f"this delivery is {stopped.state}, not held.", where=stopped.id, do="Replay it instead, once what was wrong is mended."
        )
    if yes:
        if (made := approved_as(engine, stopped)) is not None:
            if made.state in {State.SEEN, *IN_FLIGHT}:  # a form that is sent twice
                return made
            raise WrongState(f"it has been approved: {made.id}.", where=stopped.id, do="Look what became of that one.")
        _nothing_newer(engine, stopped)
        return replay(engine, stopped.id, who=who, approved=True)
    with engine.ledger.begin() as tx:
        audit.record(engine.ledger, who, "dismiss", stopped.id, tx=tx)
        return claims.dismiss(engine.ledger, stopped.id, who, tx=tx)


def _nothing_newer(engine: Engine, held: Delivery) -> None:
    """Approving what was overtaken would bring older data back over newer."""
    done = {State.PUBLISHED, State.ACKNOWLEDGED}
    later = deliveries.find(engine.ledger, partner=held.partner, flow=held.flow, table=held.table, states=done, since=held.seen_at)
    if held.mode != "append" and (newer := [one.id for one in later if one.id != held.id]):
        what = f"{newer[0]} came later and is published: approving this one would bring older data back."
        raise WrongState(what, where=held.id, do="Answer no; or replay it, if that is meant.")
