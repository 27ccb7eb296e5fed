"""Freed memory goes back to the system in time.

glibc keeps what was freed for the next request, and small blocks that live long stand between large ones that are gone: at five million rows
some hundred megabytes of a task's memory hold nothing. Asked to, it gives such pages back (malloc_trim(3)); that takes some 10 ms, so it is
asked only between batches, and only where a process has become large. With another C library nothing happens.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

LARGE = 450 << 20
"""Bytes of resident memory from which freed pages are asked back."""
_STATM = Path("/proc/self/statm")


def give_back() -> None:
    """Give freed pages back if this process is large: to be called between batches of rows."""
    trim = _trim()
    if trim is not None and resident() > LARGE:
        trim(0)


def resident() -> int:
    """Bytes of this process that are in memory now (proc(5), statm); 0 where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found
