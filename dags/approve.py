"""Airflow DAG: a person's yes or no to a held delivery: docs/flows/replay.md"""

from airflow.sdk import Param

from dags.house.operations import operation, text


@operation(
    "approve",
    delivery=text("Delivery", "The delivery that is held; or blocked or failed, and not coming any more."),
    answer=Param(
        type="string", enum=["yes", "no"], title="Answer", description="yes: take it in as it is; no: leave it out, later ones go on."
    ),
    who=text("Who", "Who says so: it stands in the audit."),
)
def approve(delivery: str, answer: str, who: str) -> object:
    """Yes starts a new delivery from the kept bytes, linked to the held one, that no brake holds; no lets those that wait behind it go on."""
    from dags.house.engine import engine
    from include.engine.replay import answer as answered

    return answered(engine(), delivery, yes=answer == "yes", who=who)
