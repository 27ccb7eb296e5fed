"""Room for connections: each is an open file."""

from __future__ import annotations

import resource
from contextlib import suppress


def make_room() -> None:
    """As many open files as the system lets a process have: with the thousand that is usual, connections would take what the process itself needs."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
