"""Airflow DAG: what kiosks have lent and taken back, out of the sidecar's journal and into the lake: docs/flows/circulation_journal.md"""

from dags.house.flow import flow
from dags.house.steps import acknowledge, gate, publish, receive

JOURNAL = "connectors.circulation.lake.inbound"


@flow("circulation_journal")
def circulation_journal(delivery: str) -> None:
    """New entries of the journal become loans, renewals and returns in the lake."""
    receive(delivery, JOURNAL) >> gate(delivery, JOURNAL) >> publish(delivery, JOURNAL) >> acknowledge(delivery, JOURNAL)
