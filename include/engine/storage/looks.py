"""A look into many inboxes at once, of which some may hang: each has its own time, and none delays the others."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping

from include.engine.errors import BinderyError, Unreachable
from include.engine.faults import told
from include.engine.storage.filesystem import Store
from include.engine.storage.seen import Seen

log = logging.getLogger("bindery.dispatch")

Look = list[Seen] | BinderyError


def look_into(stores: Mapping[str, Store], *, seconds: float, at_once: int = 16) -> dict[str, Look]:
    """List every store by its name, or say why not: its error, or Unreachable STORE_TIMEOUT when it is not done after `seconds` in all.

    Local folders are read first, one after the other (3 ms for 1,000 files); the others in at most `at_once` threads. Closes the stores.
    """
    end = time.monotonic() + seconds
    found: dict[str, Look] = {name: _look(store) for name, store in stores.items() if store.location.scheme == "file"}
    away = {name: store for name, store in stores.items() if name not in found}
    asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, Look]] = queue.SimpleQueue()
    for name in away:
        asked.put(name)

    def work() -> None:
        while (name := asked.get()) is not None:
            answers.put((name, _look(away[name]) if time.monotonic() < end else _late(away[name], seconds)))

    workers = min(at_once, len(away))
    for _ in range(workers):
        asked.put(None)
        threading.Thread(target=work, name="look", daemon=True).start()  # one that hangs on must not keep the process
    missing = set(away)
    while missing:
        try:
            name, look = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[name] = look
        missing.discard(name)
    return {name: found[name] if name in found else _late(store, seconds) for name, store in stores.items()}


def _look(store: Store) -> Look:
    try:
        with store:
            return store.list()
    except BinderyError as error:
        return error
    except Exception as error:  # a fault of ours, or of a library under a drive: it must not keep the others waiting for this thread
        log.error("%s could not be listed: %s", store.location, told(error))
        return Unreachable(
            f"its listing could not be read ({type(error).__name__})", where=str(store.location), do="The log of dispatch has more."
        )


def _late(store: Store, seconds: float) -> Unreachable:
    return Unreachable(
        f"no answer within {seconds:g} s", where=str(store.location), do="We look again at the next round.", code="STORE_TIMEOUT"
    )
