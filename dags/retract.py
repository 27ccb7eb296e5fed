"""Airflow DAG: a published delivery taken out again: docs/flows/replay.md"""

from dags.house.operations import operation, text


@operation(
    "retract",
    delivery=text("Delivery", "The published delivery to take out of the lake."),
    who=text("Who", "Who says so: it stands in the audit."),
)
def retract(delivery: str, who: str) -> object:
    """Bring each table back to what it was without this delivery, as a new version; what later deliveries changed stays as they left it."""
    from dags.house.engine import engine
    from include.engine.retract import retract

    return retract(engine(), delivery, who=who)
