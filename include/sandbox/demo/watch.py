"""Watch a wave of deliveries go through, with a progress bar; say what is stuck when it takes too long."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from include.engine.delivery import FINISHED, IN_FLIGHT, Delivery
from include.engine.ledger import Ledger, deliveries, manifests
from include.sandbox.airflow import Airflow
from include.sandbox.deliveries import Drop
from include.sandbox.demo.installation import Installation


class Stuck(RuntimeError):
    """Something did not end in time."""


class Watch:
    """Looks into the ledger until everything asked for has ended."""

    def __init__(self, installation: Installation, airflow: Airflow, console: Console) -> None:
        self._installation, self._airflow, self._console = installation, airflow, console
        self._ledger = Ledger(f"sqlite:///{installation.home}/ledger.db")
        self._ledger.migrate()
        self._before: set[str] = set()
        self.wave = 0

    def until_done(self, wave: list[Drop], seconds: float) -> None:
        """Until as many new deliveries have ended as files were dropped."""
        self.wave += 1
        first = wave[0].answer
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[now]}"),
            console=self._console,
        ) as bar:
            task = bar.add_task(f"Day {first.day}, wave {self.wave}", total=len(wave), now="")

            def done() -> bool:
                new = [one for one in deliveries.find(self._ledger, limit=10_000) if one.id not in self._before]
                ended = [one for one in new if one.state in FINISHED and self._receipt_is_out(one)]
                states = Counter(str(one.state) for one in new if one.state in IN_FLIGHT)
                bar.update(task, completed=len(ended), now=", ".join(f"{count} {state}" for state, count in states.items()))
                if len(ended) < len(wave):
                    return False
                self._before |= {one.id for one in new}
                return True

            self._until(done, seconds, lambda: self._stuck(wave))

    def until_fed(self, seconds: float) -> None:
        """Until the newest BI snapshot was made from the newest lake."""
        with self._console.status("Waiting for the BI feed ..."):
            self._until(self._fed, seconds, lambda: "the BI feed has not caught up with the lake")

    def _fed(self) -> bool:
        latest = self._installation.home / "bi" / "latest.json"
        if not latest.exists():
            return False
        versions = json.loads(latest.read_text())["lake_versions"]
        now = manifests.latest(self._ledger)
        return all(now.get(table, version) == version for table, version in versions.items())

    def _receipt_is_out(self, one: Delivery) -> bool:
        """A blocked delivery has ended before its receipt goes out; the demo wants both."""
        return (self._installation.home / "receipts" / one.partner / f"{one.id}.json").exists()

    def _until(self, done: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if self._airflow.keeper.poll() is not None:
                raise Stuck(f"Airflow has ended by itself; its logs are in {self._airflow.logs}")
            if time.monotonic() > deadline:
                raise Stuck(f"{why()}; logs are in {self._airflow.logs}")
            time.sleep(0.5)

    def _stuck(self, wave: list[Drop]) -> str:
        found = {one.path: one for one in deliveries.find(self._ledger, limit=10_000) if one.id not in self._before}
        lines = [f"{drop.library}/{drop.file}: {found[drop.file].state if drop.file in found else 'not seen'}" for drop in wave]
        return "not everything has ended: " + "; ".join(lines)
