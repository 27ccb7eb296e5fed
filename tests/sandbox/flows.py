"""What Airflow does with a delivery that dispatch or a person has started, without Airflow: the steps of its own flow, with that flow's connector."""

from __future__ import annotations

from connectors.adhl import outbound as adhl
from connectors.circulation.lake import inbound as journal
from connectors.circulation.lake import outbound as fill
from connectors.crm import outbound as crm
from connectors.ils import inbound as ils
from connectors.oai_pmh import inbound as oai
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import deliveries
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send

INBOUND = {"ils_import": ils, "oai_harvest": oai, "circulation_journal": journal}
OUTBOUND = {"adhl_upload": adhl, "circulation_fill": fill, "crm_sync": crm}


def run(engine: Engine, id: str) -> Delivery:
    """A delivery of any of the demo's flows, to its end; after a failure comes only the last step."""
    flow = deliveries.get(engine.ledger, id).flow
    if flow in INBOUND:
        connector, steps, last = INBOUND[flow], (receive, gate, publish), acknowledge
    else:
        connector, steps, last = OUTBOUND[flow], (select, render, send), confirm
    for step in steps:
        try:
            step(engine, id, connector)
        except BinderyError:
            break
    last(engine, id, connector)
    return deliveries.get(engine.ledger, id)
