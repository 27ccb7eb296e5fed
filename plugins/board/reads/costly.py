"""What took long to find out is not asked again at once: a page is then some seconds old, and says as of when.

Only what took longer than `LEAST` is kept, and for as many times as long as `FACTOR` says: a small installation always sees what is, and one
with millions of records spends a fortieth of its database's time on figures.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

LEAST = 0.05
LONGEST = 120.0
"""Seconds."""
FACTOR = float(os.environ.get("BINDERY_BOARD_KEPT", "40"))
_MOST = 1_000

P = ParamSpec("P")
R = TypeVar("R")

_lock = threading.Lock()
_asking: dict[object, threading.Lock] = {}
_known: dict[object, tuple[float, object]] = {}


def costly(read: Callable[Concatenate[sa.Connection, P], R]) -> Callable[Concatenate[sa.Connection, P], R]:
    """A read function of a connection and of what can be hashed. Of several requests that want the same at once, one asks."""

    @wraps(read)
    def found(tx: sa.Connection, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (
            str(tx.engine.url),
            read.__module__,
            read.__name__,
            *map(_hashable, args),
            *((name, _hashable(one)) for name, one in sorted(kwargs.items())),
        )
        with _lock:
            asking = _asking.setdefault(key, threading.Lock())
        with asking:
            known = _known.get(key)
            if known is not None and time.monotonic() < known[0]:
                return known[1]  # type: ignore[return-value]
            begun = time.monotonic()
            value = read(tx, *args, **kwargs)
            took = time.monotonic() - begun
            with _lock:
                _known.pop(key, None)
                if took > LEAST and FACTOR:
                    _known[key] = begun + took + min(took * FACTOR, LONGEST), value
                    while len(_known) > _MOST:
                        _known.pop(next(iter(_known)))
                if len(_asking) > 10 * _MOST:
                    _asking.clear()
        return value

    return found


def _hashable(argument: object) -> object:
    return frozenset(argument) if isinstance(argument, set | list | tuple) else argument
