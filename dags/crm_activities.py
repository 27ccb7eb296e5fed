"""Airflow DAG: the library's lists of visits, complaints, lectures and prospects: docs/flows/crm_sync.md"""

from dags.house.flow import flow
from dags.house.steps import acknowledge, gate, publish, receive

CRM = "connectors.crm.activities"


@flow("crm_activities")
def crm_activities(delivery: str) -> None:
    """A list becomes activities and prospects in the lake, for the CRM."""
    receive(delivery, CRM) >> gate(delivery, CRM) >> publish(delivery, CRM) >> acknowledge(delivery, CRM)
