"""Airflow DAG: what has been kept long enough goes: docs/flows/retention.md"""

from dags.house.operations import operation


@operation("retention", schedule="30 2 * * *")
def retention() -> object:
    """Landed bytes, quarantine, receipts, lake history and loans' patron links beyond each partner's periods; then the tables are compacted."""
    from dags.house.engine import engine
    from include.engine.retention import enforce

    return enforce(engine())
