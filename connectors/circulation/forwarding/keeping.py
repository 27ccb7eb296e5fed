"""What store and forward does by itself beside answering: look whether the library system is back, tell it what waits, and count."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge

from connectors.circulation.forwarding.backend import Forwarding

TURN_SECONDS = 1.0
CLOSED = "closed"
"""A folder in the sidecar's own, in which `conflicts --close` leaves the numbers that staff are done with."""


async def keep(forwarding: Forwarding, folder: Path, registry: CollectorRegistry) -> None:
    """Until it is cancelled. A journal that fails ends it, and the process with it."""
    there = Gauge("circulation_library_system_up", "Whether the library system answers", registry=registry)
    waiting = Gauge("circulation_waiting", "Transactions that the library system must still be told of", registry=registry)
    conflicts = Gauge("circulation_conflicts", "Conflicts that staff have not closed", registry=registry)
    while True:
        await forwarding.turn()
        await take_closed(forwarding, folder)
        await forwarding.copy.look()
        there.set(forwarding.breaker.state == "closed")
        waiting.set(len(forwarding.state.waiting))
        conflicts.set(len(forwarding.state.conflicts))
        await asyncio.sleep(TURN_SECONDS)


class Closing(Protocol):
    """A back end whose conflicts staff can close."""

    async def close_conflict(self, number: int) -> bool: ...


async def take_closed(backend: Closing, folder: Path) -> None:
    """Close what staff have closed."""
    for path in sorted((folder / CLOSED).glob("*")):
        if path.name.isdecimal():
            await backend.close_conflict(int(path.name))
        path.unlink(missing_ok=True)


def close(folder: Path, number: int) -> None:
    """Leave a number for the sidecar, which closes it within seconds, or at its next start."""
    (folder / CLOSED).mkdir(mode=0o700, exist_ok=True)
    (folder / CLOSED / str(number)).touch(mode=0o600)
