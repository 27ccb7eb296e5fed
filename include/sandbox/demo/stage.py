"""What the demo's parts share while it runs: the installation, its Airflow, its ledger, and one way to wait for something."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock
from urllib.error import HTTPError

from include.engine.delivery import FINISHED, Delivery
from include.engine.ledger import Ledger, deliveries
from include.sandbox.airflow import Airflow
from include.sandbox.demo.installation import Installation

TRIES = 10
"""How often a run is started until Airflow takes it."""


class Stuck(RuntimeError):
    """Something did not end in time."""


def of_files(ledger: Ledger) -> list[Delivery]:
    """The deliveries that came of dropped files, and not what a calendar missed while the demo ran."""
    return [one for one in deliveries.find(ledger, flow="ils_import", limit=10_000) if one.table != "overdue"]


class Stage:
    """Several threads may use one: each act plays in its own. `stop` ends every wait."""

    def __init__(self, installation: Installation, airflow: Airflow) -> None:
        self.installation, self.airflow = installation, airflow
        self.ledger = Ledger(f"sqlite:///{installation.home}/ledger.db")
        self.ledger.migrate()
        self.stop = Event()
        self._one_at_a_time = Lock()

    def until(self, done: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
        """Look twice a second until `done`; Stuck, with the words of `why`, when that takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        while not done():
            if self.airflow.keeper.poll() is not None:
                raise Stuck(f"Airflow has ended by itself; its logs are in {self.airflow.logs}")
            if time.monotonic() > deadline:
                raise Stuck(f"{why()}; logs are in {self.airflow.logs}")
            if self.stop.wait(0.5):
                raise Stuck("the demo was ended")

    def ended(self, delivery: Delivery) -> bool:
        """Whether nothing goes on with a delivery any more. A blocked one has ended before its receipt goes out; the demo wants both."""
        receipt = self.installation.home / "receipts" / delivery.partner / f"{delivery.id}.json"
        return delivery.state in FINISHED and receipt.exists()

    def deliver(self, partner: str, flow: str, seconds: float = 180) -> Delivery:
        """Start a partner's scheduled flow as a person does, by the DAG `start`, and wait until its delivery has ended."""
        known = {one.id for one in self._of(partner, flow)}
        self._start(partner, flow)

        def new() -> list[Delivery]:
            return [one for one in self._of(partner, flow) if one.id not in known]

        def states() -> str:
            return f"{partner}/{flow}: {', '.join(str(one.state) for one in new()) or 'no delivery came of it'}"

        self.until(lambda: any(map(self.ended, new())), seconds, states)
        return next(filter(self.ended, new()))

    def _start(self, partner: str, flow: str) -> None:
        """One at a time, and again when it fails: Airflow's own SQLite refuses writers that come together (docs/running.md: PostgreSQL does not)."""
        with self._one_at_a_time:
            for left in range(TRIES - 1, -1, -1):
                try:
                    self.airflow.api("dags/start/dagRuns", {"logical_date": None, "conf": {"partner": partner, "flow": flow}})
                    return
                except HTTPError as error:
                    if error.code < 500 or not left or self.stop.wait(1.0):
                        raise

    def _of(self, partner: str, flow: str) -> list[Delivery]:
        return deliveries.find(self.ledger, partner=partner, flow=flow, limit=1000)
