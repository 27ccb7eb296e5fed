"""What a person starts, or the clock: DAGs with one task that calls one function of the engine. `@operation` is to them what `@flow` is to deliveries."""

from __future__ import annotations

import logging
from collections.abc import Callable
from inspect import getdoc
from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException

from dags.house.flow import task_defaults

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
                from include.engine.errors import Held, Refused, SettingsError, WrongState

                try:
                    log.info("%s", work(**(params or {})))
                except (Refused, Held, SettingsError, WrongState) as stop:
                    raise AirflowFailException(str(stop)) from None

            run()
        return dag

    return build


def text(title: str, description: str, **more: Any) -> Param:
    """A field of a form that must be filled in, or may be left empty when `default` is given."""
    return Param(**{"type": "string", "minLength": 0 if "default" in more else 1, "title": title, "description": description, **more})
