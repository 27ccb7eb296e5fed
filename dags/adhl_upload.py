"""Airflow DAG: a library's loans to DBC, encrypted, by posthus: docs/flows/adhl_upload.md"""

from dags.house.flow import flow
from dags.house.steps import confirm, render, select, send

ADHL = "connectors.adhl.outbound"


@flow("adhl_upload")
def adhl_upload(delivery: str) -> None:
    """Home loans that were never sent become lines, an encrypted file, and a delivery at posthus."""
    select(delivery, ADHL) >> render(delivery, ADHL) >> send(delivery, ADHL) >> confirm(delivery, ADHL)
