"""Airflow's own task processes killed: its scheduler starts them, they die with -9 in the middle of their step, it tries again."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from include.engine.delivery import FINISHED, Delivery
from include.engine.ledger import deliveries
from include.sandbox.airflow import Airflow, running
from tests.crash.house import House
from tests.crash.state import Left, left

POINTS = ("stage.batch", "gate.bound", "publish.table", "acknowledge.receipt")
"""One in each task."""
LIMIT_SECONDS = 300.0


@dataclass(frozen=True)
class Run:
    """What came of the delivery, how often Airflow tried each task, and the points at which a process died."""

    delivery: Delivery
    left: Left
    run_state: str
    tries: dict[str, int]
    died: set[str]


def through(house: House, points: tuple[str, ...] = POINTS) -> Run:
    """Take the one file in the house's inbox through Airflow, with one task process killed at each of `points`."""
    marks = house.home / "died"
    marks.mkdir()
    env = house.env | {
        "BINDERY_DIE_AT": ",".join(points),
        "BINDERY_DIE_ONCE": str(marks),
        "BINDERY_RETRY_SECONDS": "1",
        "BINDERY_DISPATCH_SECONDS": "5",
    }
    with running(house.home, env) as airflow:
        delivery = _finished(house)
        state, tries = _run(airflow, delivery.id)
    found = left(house.engine, delivery.id)
    return Run(delivery, found, state, tries, {mark.name for mark in marks.iterdir()})


def _finished(house: House) -> Delivery:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        found = deliveries.find(house.engine.ledger, states=FINISHED)
        if found:
            return found[0]
        time.sleep(0.5)
    there = Counter(str(one.state) for one in deliveries.find(house.engine.ledger))
    raise TimeoutError(f"after {LIMIT_SECONDS:.0f} s the deliveries are {dict(there)}; Airflow's logs are in {house.home / 'logs'}")


def _run(airflow: Airflow, id: str) -> tuple[str, dict[str, int]]:
    """The DAG run's end, and the tries of its tasks."""
    deadline = time.monotonic() + 60
    while (run := airflow.api(f"dags/ils_import/dagRuns/{id}"))["state"] in {"queued", "running"} and time.monotonic() < deadline:
        time.sleep(0.5)
    tasks = airflow.api(f"dags/ils_import/dagRuns/{id}/taskInstances")["task_instances"]
    return str(run["state"]), {str(one["task_id"]): int(one["try_number"]) for one in tasks}


def leftovers(home: Path) -> list[str]:
    """Half-written files anywhere in the home."""
    return [
        str(path.relative_to(home))
        for folder in ("landing", "staging", "quarantine", "receipts", "inbox")
        for path in (home / folder).rglob("*.part")
    ]
