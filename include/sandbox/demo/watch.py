"""Watch a wave of deliveries go through, with a progress bar; say what is stuck when it takes too long."""

from __future__ import annotations

import json
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from include.engine.delivery import IN_FLIGHT
from include.engine.ledger import manifests
from include.sandbox.deliveries import Drop
from include.sandbox.demo.stage import Stage, of_files


class Watch:
    """Looks into the ledger until everything asked for has ended."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage, self._console = stage, console
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
                new = [one for one in of_files(self._stage.ledger) if one.id not in self._before]
                ended = [one for one in new if self._stage.ended(one)]
                states = Counter(str(one.state) for one in new if one.state in IN_FLIGHT)
                bar.update(task, completed=len(ended), now=", ".join(f"{count} {state}" for state, count in states.items()))
                if len(ended) < len(wave):
                    return False
                self._before |= {one.id for one in new}
                return True

            self._stage.until(done, seconds, lambda: self._stuck(wave))

    def until_fed(self, seconds: float) -> None:
        """Until the newest BI snapshot was made from the newest lake."""
        with self._console.status("Waiting for the BI feed ..."):
            self._stage.until(self._fed, seconds, lambda: "the BI feed has not caught up with the lake")

    def _fed(self) -> bool:
        latest = self._stage.installation.home / "bi" / "latest.json"
        if not latest.exists():
            return False
        versions = json.loads(latest.read_text())["lake_versions"]
        now = manifests.latest(self._stage.ledger)
        return all(now.get(table, version) == version for table, version in versions.items())

    def _stuck(self, wave: list[Drop]) -> str:
        found = {one.path: one for one in of_files(self._stage.ledger) if one.id not in self._before}
        lines = [f"{drop.library}/{drop.file}: {found[drop.file].state if drop.file in found else 'not seen'}" for drop in wave]
        return "not everything has ended: " + "; ".join(lines)
