"""Airflow DAG: the store of the kiosks' sidecar, filled out of the lake: docs/flows/circulation_journal.md"""

from dags.house.flow import flow
from dags.house.steps import confirm, render, select, send

FILL = "connectors.circulation.lake.outbound"


@flow("circulation_fill")
def circulation_fill(delivery: str) -> None:
    """Patrons, items, open loans, holds and fees become the sidecar's store; what kiosks have done since stays."""
    select(delivery, FILL) >> render(delivery, FILL) >> send(delivery, FILL) >> confirm(delivery, FILL)
