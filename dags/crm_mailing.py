"""Airflow DAG: who may be written to, with segments, for the mailing system: docs/flows/crm_sync.md"""

from dags.house.flow import flow
from dags.house.steps import confirm, render, select, send

FILE = "connectors.crm.mailing"


@flow("crm_mailing")
def crm_mailing(delivery: str) -> None:
    """Everybody who has agreed to be written to becomes a line of the mailing system's file."""
    select(delivery, FILE) >> render(delivery, FILE) >> send(delivery, FILE) >> confirm(delivery, FILE)
