"""The hand-offs as Airflow tasks: `receive >> gate >> publish >> acknowledge` for what comes in, `select >> render >> send >> confirm` for
what goes out; at most four a delivery.

Each calls one step of the engine, which can run twice, or twice at once, with no harm. A refusal or a hold fails the task without a retry and
says why; trouble with a system is tried again. Tasks pass nothing on: the ledger knows the delivery.

Airflow goes by a run's last tasks. The last step always runs, and ends well for a blocked delivery too: so `through` stands beside it, a task
that runs nothing and is green only when everything before the last step was. A run is red where either is.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException

from dags.house.assets import LAKE, asset

log = logging.getLogger("bindery")


def receive(delivery: str, connector: str, **settings: Any) -> Any:
    """Receive and stage: the partner's bytes kept as they came, then read into staged tables. `settings` of the task, such as `retries`."""
    return _receive.override(**settings)(delivery, connector)


def gate(delivery: str, connector: str) -> Any:
    """Gate and bind: the contract decides, the connector maps, and the lake's contract decides again."""
    return _gate(delivery, connector)


def publish(delivery: str, connector: str) -> Any:
    """Publish into the lake, atomic for each table; each table that changed becomes an asset event."""
    return _through(_publish(delivery, connector))


def acknowledge(delivery: str, connector: str) -> Any:
    """Archive the source and write the receipt, whatever became of the delivery: a teardown. The run is red where this fails, too."""
    return _acknowledge(delivery, connector).as_teardown(on_failure_fail_dagrun=True)


def select(delivery: str, connector: str) -> Any:
    """Select and gate: what is due is read from the lake at pinned versions, held against its contract, and staged."""
    return _select(delivery, connector)


def render(delivery: str, connector: str) -> Any:
    """Render and seal: the accepted rows become what the receiver gets, encrypted for it where it must be."""
    return _render(delivery, connector)


def send(delivery: str, connector: str) -> Any:
    """Send: each part goes once, and is verified where it arrives."""
    return _through(_send(delivery, connector))


def confirm(delivery: str, connector: str) -> Any:
    """Settle what was sent and write the receipt, whatever became of the delivery: a teardown. The run is red where this fails, too."""
    return _confirm(delivery, connector).as_teardown(on_failure_fail_dagrun=True)


def _through(last: Any) -> Any:
    """No worker runs it: the scheduler marks it, green after `last`, red when that or a step before it was not done."""
    last >> EmptyOperator(task_id="through")
    return last


@task(task_id="receive")
def _receive(delivery: str, connector: str) -> None:
    _run("receive", delivery, connector)


@task(task_id="gate")
def _gate(delivery: str, connector: str) -> None:
    _run("gate", delivery, connector)


@task(task_id="publish", outlets=[LAKE])
def _publish(delivery: str, connector: str, *, outlet_events: Any = None) -> None:
    for table in _run("publish", delivery, connector).tables:
        outlet_events[LAKE].add(asset(table), extra={"delivery": delivery})


@task(task_id="acknowledge", retries=12)  # hours: a delivery that is not acknowledged holds up the next of its table
def _acknowledge(delivery: str, connector: str) -> None:
    _run("acknowledge", delivery, connector)
    _tell_lineage(delivery)


@task(task_id="select")
def _select(delivery: str, connector: str) -> None:
    _run("select", delivery, connector, "outbound")


@task(task_id="render")
def _render(delivery: str, connector: str) -> None:
    _run("render", delivery, connector, "outbound")


@task(task_id="send", retries=12)  # hours: a receiver may be down for a night
def _send(delivery: str, connector: str) -> None:
    _run("send", delivery, connector, "outbound")


@task(task_id="confirm", retries=12)
def _confirm(delivery: str, connector: str) -> None:
    _run("confirm", delivery, connector, "outbound")
    _tell_lineage(delivery)


def _run(step: str, delivery: str, connector: str, way: str = "inbound") -> Any:
    """One step of `include.engine.inbound` (or outbound) for one delivery, its outcome in words in the task's log."""
    from dags.house.engine import engine
    from include.engine.errors import Held, Refused, WrongState
    from include.engine.faults import without_texts

    try:
        with without_texts():
            outcome = getattr(import_module(f"include.engine.{way}.{step}"), step)(engine(), delivery, import_module(connector))
    except (Refused, Held, WrongState) as stop:
        raise AirflowFailException(str(stop)) from None
    log.info("%s: %s", delivery, outcome)
    return outcome


def _tell_lineage(delivery: str) -> None:
    """OpenLineage's client takes half a second to import: only where a receiver is named."""
    if any(name.startswith("OPENLINEAGE_") for name in os.environ):
        from dags.house.engine import engine
        from include.engine import lineage

        lineage.tell(engine(), delivery)
