"""Airflow DAG: the library system's own exports, gated into the lake: docs/flows/ils_import.md"""

from dags.house.flow import flow
from dags.house.steps import acknowledge, gate, publish, receive

ILS = "connectors.ils.inbound"


@flow("ils_import")
def ils_import(delivery: str) -> None:
    """A file of bibliographic records, items, patrons, loans, holds or fees becomes tables in the lake."""
    receive(delivery, ILS) >> gate(delivery, ILS) >> publish(delivery, ILS) >> acknowledge(delivery, ILS)
