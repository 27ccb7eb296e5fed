"""Acts: what the demo shows once the files of the libraries are in. One module an act, found by being there.

An act's module has one function, `prepare(installation, stack)`. It runs before Airflow starts: servers go onto the stack (they are stopped
with the demo), their connections into `installation.env`, what cannot be had into `installation.skipped`. It returns the play: called with
the stage when the lake is filled, in a thread of its own beside the other acts, it does its part through Airflow and returns an `Outcome`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module

from include.sandbox.demo.installation import Installation
from include.sandbox.demo.stage import Stage


@dataclass
class Outcome:
    """What an act prints, line by line below its title, and everything that is not as it must be, in words."""

    title: str
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


Play = Callable[[Stage], Outcome]


def prepare_all(installation: Installation, stack: ExitStack) -> dict[str, Play]:
    """Every act's play by its name; one that returns None has nothing to play here."""
    found = {room.name: import_module(f"{__name__}.{room.name}").prepare(installation, stack) for room in pkgutil.iter_modules(__path__)}
    return {name: play for name, play in found.items() if play is not None}


def play_all(plays: dict[str, Play], stage: Stage) -> list[Outcome]:
    """Play them side by side. An act that fails is an outcome with what went wrong; the others go on."""
    if not plays:
        return []
    with ThreadPoolExecutor(len(plays)) as threads:
        running = {name: threads.submit(play, stage) for name, play in plays.items()}
        try:
            return [_outcome(name, future) for name, future in running.items()]
        except BaseException:
            stage.stop.set()  # an act that waits would keep an interrupted demo from ending
            raise


def _outcome(name: str, future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except Exception as error:
        return Outcome(name, wrong=[f"{type(error).__name__}: {error}"])
