"""Whose a row of the lake is where several flows of a partner bring rows of one table: docs/decisions/rows-of-several-flows.md"""

from __future__ import annotations

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.lake.plan import Others
from include.engine.ledger import deliveries
from include.engine.partner.settings import InboxFlow, PulledFlow


def others(engine: Engine, delivery: Delivery, table: str) -> Others:
    """The deliveries of the partner's other flows that bring rows of `table`, by today's settings.

    What was delivered wins over what was fetched: a fetched row does not take the place of one from an export, and an export takes over
    whatever it names.
    """
    flows = engine.partner(delivery.partner).flows
    fetched = isinstance(flows.get(delivery.flow), PulledFlow)
    kinds = (InboxFlow,) if fetched else (InboxFlow, PulledFlow)
    names = [name for name, flow in flows.items() if name != delivery.flow and isinstance(flow, kinds) and flow.brings(table)]
    return Others(tuple(deliveries.of_flows(engine.ledger, delivery.partner, names)) if names else (), win=fetched)
