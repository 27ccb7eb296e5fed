"""An outbound delivery once more: what it sent, under a new name, with today's settings and keys. docs/flows/replay.md"""

from __future__ import annotations

from include.engine import clock
from include.engine.delivery import Delivery, NewDelivery, State, delivery_id
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.ledger import audit, deliveries

_AT_WORK = frozenset({State.SEEN, State.CLAIMED, State.STAGED, State.GATED, State.PUBLISHED})


def is_outbound(delivery: Delivery) -> bool:
    """Whether the delivery left the house, or was to: it has pinned what it read of the lake."""
    return "pins" in delivery.facts


def send_again(engine: Engine, origin: Delivery, *, who: str, approved: bool = False) -> Delivery:
    """Enter a new delivery, linked to `origin`, that dispatch starts at its next look. It sends the same records, as the lake has them now;
    of an origin that never left, whatever is due. WrongState while the origin is at work."""
    if origin.state in _AT_WORK:
        raise WrongState(f"this delivery is still {origin.state}.", where=origin.id, do="Wait until it has ended.")
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
        after_block=origin.after_block,
        facts={"approved": who} if approved else {},
    )
    with engine.ledger.begin() as tx:
        made = deliveries.see(engine.ledger, new, tx=tx)
        audit.record(engine.ledger, who, "approve" if approved else "send again", origin.id, {"delivery": made.id}, tx=tx)
    return made
