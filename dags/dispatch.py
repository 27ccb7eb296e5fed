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
    """Look into the inboxes, claim what is next in each line, and say which runs to start: of flows, and of `approve` for what is held."""
    from dags.house.engine import engine
    from include.engine.approval import unasked
    from include.engine.dispatch.look import look

    flows = [(one.flow, one.id, one.id) for one in look(engine())]
    asks = [("approve", f"{one.id}__{one.finished_at:%Y%m%dT%H%M%S}", one.id) for one in unasked(engine())]
    return [{"trigger_dag_id": dag, "trigger_run_id": run, "conf": {"delivery": id}} for dag, run, id in (asks + flows)[:MOST]]


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
