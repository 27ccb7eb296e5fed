"""Airflow DAG: what was changed in the CRM, as a file for the library system: docs/flows/crm_sync.md"""

from dags.house.flow import flow
from dags.house.steps import confirm, render, select, send

FILE = "connectors.crm.ils_update"


@flow("crm_ils_update")
def crm_ils_update(delivery: str) -> None:
    """Proposed changes that are to be applied become an import file of the library system."""
    select(delivery, FILE) >> render(delivery, FILE) >> send(delivery, FILE) >> confirm(delivery, FILE)
