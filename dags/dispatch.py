"""Airflow DAG: every minute: which inbox has a whole file, which partner's schedule is due, what got stuck: docs/flows/dispatch.md"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, AssetOrTimeSchedule, DeltaTriggerTimetable, task

from dags.house.assets import STAR, any_of
from dags.house.flow import task_defaults

MOST = 1000  # Airflow's max_map_length is 1,024
EVERY = timedelta(seconds=float(os.environ.get("BINDERY_DISPATCH_SECONDS", "60")))


@task
def look() -> list[dict[str, object]]:
    """Look into the inboxes, claim what is next in each line, and say which runs to start: of flows, and of `approve` for what is held. One whose
    question was answered elsewhere is begun again: it asks nobody, and ends."""
    from dags.house.engine import engine
    from include.engine.approval import closed, unasked
    from include.engine.dispatch.look import look

    flows = [(one.flow, one.id, one.id, False) for one in look(engine())]
    asks = [("approve", f"{one.id}__{one.finished_at:%Y%m%dT%H%M%S}", one.id, False) for one in unasked(engine())]
    over = [("approve", run, id, True) for id, run in closed(engine(), who="airflow")]
    found = (asks + over + flows)[:MOST]
    return [
        {"trigger_dag_id": dag, "trigger_run_id": run, "conf": {"delivery": id}, "reset_dag_run": again} for dag, run, id, again in found
    ]


with DAG(
    "dispatch",
    schedule=AssetOrTimeSchedule(timetable=DeltaTriggerTimetable(EVERY), assets=any_of(*STAR)),
    catchup=False,
    max_active_runs=1,
    tags=["bindery", "operations"],
    doc_md=__doc__,
    default_args=task_defaults("dispatch") | {"retries": 0},
) as dispatch:
    TriggerDagRunOperator.partial(task_id="start", logical_date=None, skip_when_already_exists=True).expand_kwargs(look())
