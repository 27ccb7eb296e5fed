"""Airflow DAG: patrons and institutions into the library's CRM, with deep links back: docs/flows/crm_sync.md"""

from dags.house.flow import flow
from dags.house.steps import confirm, render, select, send

CRM = "connectors.crm.outbound"


@flow("crm_sync")
def crm_sync(delivery: str) -> None:
    """What changed since the CRM last confirmed it, in the CRM's own fields; results are read back row by row."""
    select(delivery, CRM) >> render(delivery, CRM) >> send(delivery, CRM) >> confirm(delivery, CRM)
