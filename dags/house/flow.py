"""`@flow`: a DAG in which one run is one delivery.

A flow's file holds only its hand-offs. What every flow has in common is here: the run asks for its `delivery` when a person starts it; runs go
side by side up to the parallelism; tasks share the pool `flows`; transport trouble is tried again, a blocked delivery is not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from inspect import getdoc

from airflow.sdk import DAG, Param, conf

DELIVERY = "{{ params.delivery }}"


def flow(name: str, **settings: object) -> Callable[[Callable[[str], object]], DAG]:
    """Turn `wire(delivery)` into the DAG `name`; its docstring is what the Airflow UI shows."""

    def build(wire: Callable[[str], object]) -> DAG:
        with DAG(
            dag_id=name,
            schedule=None,
            catchup=False,
            max_active_runs=conf.getint("core", "parallelism"),
            tags=["bindery", "deliveries"],
            doc_md=getdoc(wire),
            params={
                "delivery": Param(
                    type="string",
                    minLength=1,
                    title="Delivery",
                    description="The delivery's id, such as lindeby__loan__20261121T0300__3fa9c2d1. Dispatch fills it in by itself.",
                )
            },
            default_args=task_defaults("flows"),
            **settings,  # type: ignore[arg-type]
        ) as dag:
            wire(DELIVERY)
        return dag

    return build


def task_defaults(pool: str) -> dict[str, object]:
    """How a task is tried: three more times, later and later; never longer than six hours at a stretch."""
    return {
        "owner": "bindery",
        "pool": pool,
        "retries": 3,
        "retry_delay": timedelta(seconds=float(os.environ.get("BINDERY_RETRY_SECONDS", "60"))),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=6),
    }
