"""Airflow's own processes killed: tasks in the middle of their step, and a supervisor whose task runs on and meets the next try."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from include.engine.delivery import FINISHED, Delivery
from include.engine.ledger import deliveries
from include.sandbox.airflow import Airflow, running
from tests.crash.house import House
from tests.crash.state import Left, left

DIES = ("stage.batch", "publish.table", "acknowledge.receipt")
"""Here the task's own process is killed."""
WAITS = "gate.bound"
"""Here the task's process waits and its supervisor is killed: Airflow takes it for dead, and tries again beside it."""
LIMIT_SECONDS = 300.0


@dataclass(frozen=True)
class Run:
    """What was left at the end, and before the waiting process went on; how often Airflow tried each task; the points that were come to."""

    delivery: Delivery
    left: Left
    before: Left
    run_state: str
    tries: dict[str, int]
    points: set[str]


def through(house: House) -> Run:
    """Take the one file in the house's inbox through Airflow. The process that waits goes on when the delivery is finished."""
    marks = house.home / "died"
    marks.mkdir()
    env = house.env | {
        "BINDERY_DIE_AT": ",".join(DIES),
        "BINDERY_WAIT_AT": WAITS,
        "BINDERY_ONCE": str(marks),
        "BINDERY_RETRY_SECONDS": "1",
        "BINDERY_DISPATCH_SECONDS": "5",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    }
    with running(house.home, env) as airflow:
        _until(lambda: (marks / WAITS).exists() and (marks / WAITS).read_text() != "", house, f"a task to wait at {WAITS}")
        waiting = int((marks / WAITS).read_text())
        os.kill(_parent(waiting), signal.SIGKILL)
        _until(lambda: deliveries.find(house.engine.ledger, states=FINISHED), house, "the delivery to finish")
        delivery = deliveries.find(house.engine.ledger)[0]
        state, tries = _run(airflow, delivery.id)
        before = left(house.engine, delivery.id)
        os.kill(waiting, signal.SIGCONT)
        _until(lambda: not Path(f"/proc/{waiting}").exists(), house, "the process that waited to end")
    return Run(delivery, left(house.engine, delivery.id), before, state, tries, {mark.name for mark in marks.iterdir()})


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _until(done: Callable[[], object], house: House, what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            there = [str(one.state) for one in deliveries.find(house.engine.ledger)]
            raise TimeoutError(f"waited {LIMIT_SECONDS:.0f} s for {what}; deliveries are {there}, Airflow's logs in {house.home / 'logs'}")
        time.sleep(0.5)


def _run(airflow: Airflow, id: str) -> tuple[str, dict[str, int]]:
    """The DAG run's end, and the tries of its tasks."""
    deadline = time.monotonic() + 60
    while (run := airflow.api(f"dags/ils_import/dagRuns/{id}"))["state"] in {"queued", "running"} and time.monotonic() < deadline:
        time.sleep(0.5)
    tasks = airflow.api(f"dags/ils_import/dagRuns/{id}/taskInstances")["task_instances"]
    steps = [one for one in tasks if one["task_id"] != "through"]  # that one no process runs
    return str(run["state"]), {str(one["task_id"]): int(one["try_number"]) for one in steps}


def leftovers(home: Path) -> list[str]:
    """Half-written files anywhere in the home."""
    return [
        str(path.relative_to(home))
        for folder in ("landing", "staging", "quarantine", "receipts", "inbox")
        for path in (home / folder).rglob("*.part")
    ]
