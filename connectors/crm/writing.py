"""How the library's own lists for the CRM are written: CSV, under their names for our columns."""

from __future__ import annotations

from dataclasses import replace

from connectors.crm.activities import incoming
from connectors.crm.settings import CrmActivities
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.quarantine.writing import Writing, by_contract


def writing(engine: Engine, delivery: Delivery) -> Writing:
    """A line a row; whom it names is masked."""
    flow = engine.partner(delivery.partner).flows[delivery.flow]
    assert isinstance(flow, CrmActivities)
    contract = engine.contract(incoming(delivery.table))
    by = by_contract(contract, {name: (flow.columns.get(name, name),) for name in contract.names})
    return replace(by, form="delimited", delimiter=flow.separator, header=True)


WRITINGS = {"crm_activities": writing}
