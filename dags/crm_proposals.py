"""Airflow DAG: what people changed in the CRM, back as proposals: docs/flows/crm_sync.md"""

from dags.house.flow import flow
from dags.house.steps import acknowledge, gate, publish, receive

CRM = "connectors.crm.proposals"


@flow("crm_proposals")
def crm_proposals(delivery: str) -> None:
    """Records that others changed in the CRM since the last look become proposed changes in the lake."""
    receive(delivery, CRM) >> gate(delivery, CRM) >> publish(delivery, CRM) >> acknowledge(delivery, CRM)
