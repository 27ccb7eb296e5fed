"""What a person starts, or the clock: DAGs with one task that calls one function of the engine. `@operation` is to them what `@flow` is to deliveries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from inspect import getdoc
from typing import Any, TypeVar

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException

from dags.house.flow import task_defaults

T = TypeVar("T")

log = logging.getLogger("bindery")


def operation(name: str, *, schedule: Any = None, pool: str = "flows", **params: Param) -> Callable[[Callable[..., object]], DAG]:
    """Turn `work(**params)` into the DAG `name` with one task of that name; what `work` returns is written into the task's log."""

    def build(work: Callable[..., object]) -> DAG:
        with DAG(
            dag_id=name,
            schedule=schedule,
            catchup=False,
            max_active_runs=1,
            tags=["bindery", "operations"],
            doc_md=getdoc(work),
            params=params,
            default_args=task_defaults(pool),
        ) as dag:

            @task(task_id=name)
            def run(*, params: dict[str, Any] | None = None) -> None:
                log.info("%s", done(lambda: work(**(params or {}))))

            run()
        return dag

    return build


def done(work: Callable[[], T]) -> T:
    """What `work` gives; what no retry helps fails the task at once, in our words."""
    from include.engine.errors import Held, Refused, SettingsError, WrongState
    from include.engine.faults import without_texts

    try:
        with without_texts():
            return work()
    except (Refused, Held, SettingsError, WrongState) as stop:
        raise AirflowFailException(str(stop)) from None


def answered(delivery: str, answer: str, who: str, *, asked: bool = False) -> None:
    """A person's yes or no to a delivery that has stopped. `asked`: as the answer to Airflow's question, which then stands no more."""
    from dags.house.engine import engine
    from include.engine.approval import close
    from include.engine.replay import answer as answer_

    try:
        log.info("%s", done(lambda: answer_(engine(), delivery, yes=answer == "yes", who=who or "airflow")))
    finally:
        if asked:
            close(engine(), delivery, who="airflow")


def person(answer: Mapping[str, Any]) -> str:
    """Who answered a question in Airflow, by the name they are logged in with."""
    user = answer.get("responded_by_user") or {}
    return str(user.get("name") or user.get("id") or "airflow")


def text(title: str, description: str, **more: Any) -> Param:
    """A field of a form that must be filled in, or may be left empty when `default` is given."""
    return Param(**{"type": "string", "minLength": 0 if "default" in more else 1, "title": title, "description": description, **more})
