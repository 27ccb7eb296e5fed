"""Airflow DAG: a partner's scheduled flow at once, without waiting for its schedule: docs/flows/dispatch.md"""

from dags.house.operations import operation, text


@operation(
    "start",
    partner=text("Partner", "Whose flow: the name of its file in include/partners/, such as lindeby."),
    flow=text("Flow", "A flow of theirs that has a schedule, such as adhl_upload."),
    who=text("Who", "Who says so: it stands in the audit.", default="airflow"),
)
def start(partner: str, flow: str, who: str) -> object:
    """Enter a delivery of the flow now; dispatch starts its run as soon as nothing of that flow is at work for the partner."""
    from dags.house.engine import engine
    from include.engine.dispatch.start import start

    return f"{start(engine(), partner, flow, who=who).id} is seen: dispatch takes it on"
