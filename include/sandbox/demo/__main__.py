"""`python -m include.sandbox.demo [--once]`: four libraries deliver, Airflow takes it in, every figure is checked."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType

from rich.console import Console

from include.sandbox.airflow import Airflow, running
from include.sandbox.deliveries import Drop
from include.sandbox.demo.acts import Play, play_all, prepare_all
from include.sandbox.demo.drops import drop, prepared, waves
from include.sandbox.demo.installation import Installation, installed
from include.sandbox.demo.report import report
from include.sandbox.demo.stage import Stage
from include.sandbox.demo.verdict import Verdict, judge
from include.sandbox.demo.watch import Watch

console = Console(width=None if sys.stdout.isatty() else 120)
LIMIT_SECONDS = 600.0
"""How long one wave of deliveries may take before the demo says that it is stuck."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every figure is as it must be; 1 when one is not; 130 when it was interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself, with exit status 0 only if every figure is as it must be")
    parser.add_argument("--loans", type=int, default=3000, help="loans of each library (default 3000)")
    asked = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _demo(asked.once, asked.loans)
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 130


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _demo(once: bool, loans: int) -> int:
    started = time.monotonic()
    with installed() as installation, ExitStack() as stack:
        plays = prepare_all(installation, stack)
        for library, why in installation.skipped.items():
            console.print(f"[yellow]Skipped:[/] {library}: {why}")
        with console.status("Making four libraries, and starting Airflow ..."):
            drops = prepared(installation, loans)
            airflow = running(installation.home, installation.env)
            address = airflow.__enter__()
        try:
            verdict = _run(installation, address, drops, plays)
            console.print(f"\n{time.monotonic() - started:.0f} seconds, Airflow's start included.")
            if once:
                console.print("Airflow and the servers end now, and the addresses above with them; without ONCE=1 they stay until Ctrl-C.")
            else:
                console.print(
                    f"The board is at [bold]{address.url}/plugin/bindery[/] until Ctrl-C, and Airflow around it. "
                    "It asks for no login, and listens on this machine alone."
                )
                while address.keeper.poll() is None:
                    time.sleep(0.5)
            return 0 if verdict.right else 1
        finally:
            airflow.__exit__(None, None, None)


def _run(installation: Installation, airflow: Airflow, drops: list[Drop], plays: dict[str, Play]) -> Verdict:
    stage = Stage(installation, airflow)
    watch = Watch(stage, console)
    for wave in waves(drops):
        for one in wave:
            drop(installation, one)
        watch.until_done(wave, LIMIT_SECONDS)
    with console.status(f"The lake is filled; what lives off it: {', '.join(plays)} ..."):
        outcomes = play_all(plays, stage)
    watch.until_fed(LIMIT_SECONDS)
    verdict = judge(installation, drops, outcomes)
    report(console, installation, airflow, drops, outcomes, verdict)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
