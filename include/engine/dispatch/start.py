"""A scheduled flow started by a person: the delivery is `seen` at once, and dispatch takes it on in its turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.engine import clock
from include.engine.delivery import Delivery, NewDelivery, delivery_id
from include.engine.engine import Engine
from include.engine.errors import SettingsError
from include.engine.ledger import audit, deliveries
from include.engine.partner.settings import ScheduledFlow


def start(engine: Engine, partner_id: str, flow_name: str, *, who: str, facts: Mapping[str, Any] | None = None) -> Delivery:
    """Enter a delivery of the partner's flow as if its schedule were due now. The schedule itself is left as it is.

    `facts` are for flows that can be asked for something in particular; they are the delivery's, and stand in the audit.
    Raises SettingsError for a partner or flow that is not there, is switched off, or starts by a file instead of the clock.
    """
    partner = engine.partner(partner_id)
    flow = partner.flows.get(flow_name)
    if not isinstance(flow, ScheduledFlow) or not flow.enabled:
        scheduled = [name for name, one in partner.flows.items() if isinstance(one, ScheduledFlow) and one.enabled]
        raise SettingsError(
            f"{flow_name!r} is no flow that can be started.",
            where=partner.where(),
            do=f"Its YAML has {', '.join(scheduled) or 'no flow with a schedule'}.",
        )
    now = clock.now()
    new = NewDelivery(
        id=delivery_id(partner.id, flow_name, now, "", 0, 0, salt=now.isoformat()),
        partner=partner.id,
        flow=flow_name,
        table=flow.table,
        seen_at=now,
        mode=flow.mode,
        status=partner.status,
        after_block=flow.after_block,
        facts={"due": now.isoformat(), "started_by": who, **(facts or {})},
    )
    with engine.ledger.begin() as tx:
        made = deliveries.see(engine.ledger, new, tx=tx)
        audit.record(engine.ledger, who, "start", made.id, {"partner": partner.id, "flow": flow_name, **(facts or {})}, tx=tx)
    return made
