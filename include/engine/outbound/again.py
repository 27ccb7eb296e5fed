"""An outbound delivery once more: what it sent, under a new name, with today's settings and keys. docs/flows/replay.md"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import IN_FLIGHT, Delivery, NewDelivery, State, delivery_id
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.ledger import audit, deliveries, quarantined
from include.engine.ledger.quarantined import Fate, Quarantined

_AT_WORK = frozenset({State.SEEN, State.CLAIMED, State.STAGED, State.GATED, State.PUBLISHED})


def is_outbound(delivery: Delivery) -> bool:
    """Whether the delivery left the house, or was to: it has pinned what it read of the lake."""
    return "pins" in delivery.facts


def send_again(
    engine: Engine,
    origin: Delivery,
    asked: Mapping[str, Any],
    *,
    who: str,
    approved: bool = False,
    still: Callable[[sa.Connection], None] | None = None,
) -> Delivery:
    """Enter a new delivery, linked to `origin`, that dispatch starts at its next look. It sends the same records, as the lake has them now;
    of an origin that never left, whatever is due. `asked` (reason, record, member) leaves only those that were set aside for it, by our
    contract or by the receiver: a record's number is that on the receipt, `member` its name. `still`: see replay.
    WrongState while the origin is at work, and when nothing fits."""
    if origin.state in _AT_WORK:
        raise WrongState(f"this delivery is still {origin.state}.", where=origin.id, do="Wait until it has ended.")
    asked = {name: value for name, value in asked.items() if value not in {None, ""}}
    if asked and origin.published_at is None:
        raise WrongState("nothing of this delivery was sent.", where=origin.id, do="Leave reason and record empty: whatever is due goes.")
    if asked and not chosen(engine, origin.id, asked):
        told = ", ".join(f"{name} {value}" for name, value in asked.items() if name != "member")
        raise WrongState(f"no record of this delivery was set aside for {told or 'that'}.", where=origin.id)
    now = clock.now()
    new = NewDelivery(
        id=delivery_id(origin.partner, origin.flow, now, "", 0, 0, salt=now.isoformat()),
        partner=origin.partner,
        flow=origin.flow,
        table=origin.table,
        seen_at=now,
        mode=origin.mode,
        status=engine.partner(origin.partner).status,
        origin=origin.id,
        origin_filter=asked or None,
        after_block=origin.after_block,
        facts={"approved": who} if approved else {},
    )
    return entered(engine, new, who=who, deed="send again", still=still)


def entered(engine: Engine, new: NewDelivery, *, who: str, deed: str, still: Callable[[sa.Connection], None] | None = None) -> Delivery:
    """A delivery of an origin's records that somebody asks for, with its line in the audit: `deed`, or that it was approved. Asked for before
    and not ended, it is the same one. `still`: see replay."""
    assert new.origin is not None
    with engine.ledger.begin() as tx:
        if (before := _under_way(engine, new, tx)) is not None:
            return before
        if still is not None:
            still(tx)
        made = deliveries.see(engine.ledger, new, tx=tx)
        done = "approve" if "approved" in new.facts else deed
        audit.record(engine.ledger, who, done, new.origin, {"delivery": made.id, **(new.origin_filter or {})}, tx=tx)
    return made


def _under_way(engine: Engine, new: NewDelivery, tx: sa.Connection) -> Delivery | None:
    """That one; until the end of `tx` nobody else enters one."""
    engine.ledger.lock(tx, f"replay {new.origin}")
    found = deliveries.find(engine.ledger, origin=new.origin, states={State.SEEN, *IN_FLIGHT}, tx=tx)
    same = (one for one in found if one.origin_filter == new.origin_filter and one.facts.get("landed") == new.facts.get("landed"))
    return next((one for one in same if ("approved" in one.facts) == ("approved" in new.facts)), None)


def chosen(engine: Engine, origin: str, asked: Mapping[str, Any]) -> list[Quarantined]:
    """The open set-aside records of a delivery that a replay of some names."""
    found = quarantined.find(
        engine.ledger,
        delivery_id=origin,
        reason=asked.get("reason"),
        record=asked.get("record"),
        state=Fate.OPEN,
        limit=10_000_000,
    )
    member = asked.get("member")
    return [one for one in found if member in {None, one.member}]


def resolve(engine: Engine, delivery: Delivery, tx: sa.Connection) -> None:
    """The origin's set-aside records that this delivery took along are no longer open; those that were set aside anew stay with this one."""
    if delivery.origin is None or deliveries.get(engine.ledger, delivery.origin, tx=tx).published_at is None:
        return
    still = {one.member for one in quarantined.find(engine.ledger, delivery_id=delivery.id, limit=10_000_000, tx=tx)}
    mended = [one.id for one in chosen(engine, delivery.origin, delivery.origin_filter or {}) if one.member not in still]
    quarantined.set_state(engine.ledger, mended, Fate.REPLAYED, note=delivery.id, tx=tx)
