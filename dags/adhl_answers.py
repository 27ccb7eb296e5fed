"""Airflow DAG: what posthus writes of the loans that it got, put on their deliveries: docs/flows/adhl_upload.md"""

from datetime import timedelta

from airflow.sdk import DeltaTriggerTimetable

from dags.house.operations import operation


@operation("adhl_answers", schedule=DeltaTriggerTimetable(timedelta(minutes=15)))
def adhl_answers() -> object:
    """Read the mailboxes that the partners' YAML names. A delivery that posthus took nothing of is retracted: the next one sends it again."""
    from connectors.adhl.upload.answers import listen
    from dags.house.engine import engine

    return listen(engine(), who="posthus")
