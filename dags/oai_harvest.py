"""Airflow DAG: what a repository has changed, fetched over OAI-PMH and gated into the lake: docs/flows/oai_harvest.md"""

from dags.house.flow import flow
from dags.house.steps import acknowledge, gate, publish, receive

OAI = "connectors.oai_pmh.inbound"


@flow("oai_harvest")
def oai_harvest(delivery: str) -> None:
    """A window of a repository's changes becomes records, tombstones and titles in the lake."""
    # Hours: a repository may be down for a night, or be harvested by somebody else; between its tries a task holds no worker.
    receive(delivery, OAI, retries=12) >> gate(delivery, OAI) >> publish(delivery, OAI) >> acknowledge(delivery, OAI)
