"""The one process that writes the index: it looks at the lake's pinned version every few seconds, and brings the index up to it."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

from connectors.oai_pmh.provider import index
from connectors.oai_pmh.provider.libraries import Catalogue
from connectors.oai_pmh.provider.queries import Query
from connectors.oai_pmh.provider.update import Updated, update
from include.engine import clock
from include.engine.errors import BinderyError, Unreachable

_AGAIN = 5  # times that a file may vanish under a run: it is compacted once a night

_STAND_BY = 2.0  # seconds between two tries to become the writer


@contextmanager
def only_writer(file: Path) -> Iterator[None]:
    """Holds the index's lock, which a process loses when it ends, however it ends. Unreachable OAI_INDEX_BUSY when another one has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unreachable(
                "another process keeps the provider's index.", where=file.name, do="One is enough; it may go on.", code="OAI_INDEX_BUSY"
            ) from None
        yield


def bring_up(
    file: Path, catalogue: Callable[[], Catalogue], queries: tuple[Query, ...], tick: Callable[[int], None] = lambda _: None
) -> Updated:
    """Once: make the index if need be, and bring it up to the newest catalogue. To be called under `only_writer`."""
    index.create(file)
    connection = index.connect(file)
    try:
        for attempt in range(_AGAIN):
            wanted = catalogue()
            try:
                done = update(connection, wanted, queries, tick)
                version = "" if wanted.version is None else str(wanted.version)
                _note(connection, looked=clock.now().isoformat(timespec="seconds"), version=version, trouble="")
                return done
            except FileNotFoundError:
                if attempt == _AGAIN - 1:
                    raise
        raise AssertionError("not reached")
    except FileNotFoundError:
        raise Unreachable(
            "the lake's files change faster than they can be read.", where=file.name, do="A retry helps.", code="LAKE_BUSY"
        ) from None
    except sqlite3.DatabaseError as error:
        raise index.damaged(file, error) from error
    finally:
        connection.close()


def follow(
    file: Path,
    catalogue: Callable[[], Catalogue],
    queries: Callable[[], tuple[Query, ...]],
    every: float,
    stop: Event,
    say: Callable[[str], None],
) -> None:
    """Again and again until `stop`. Trouble is said and noted in the index (for /health), and tried again: it never ends the process.

    While another process keeps the index this one stands by, to go on when that one ends.
    """
    with ExitStack() as stack:
        standing_by = False
        while not stop.is_set():
            try:
                stack.enter_context(only_writer(file))
                break
            except Unreachable as error:
                if not standing_by:
                    say(str(error))
                standing_by = True
                stop.wait(_STAND_BY)
        while not stop.is_set():
            try:
                done = bring_up(file, catalogue, queries())
                if done.partners:
                    say(
                        json.dumps(
                            {
                                "event": "oai.index",
                                "changed": done.changed,
                                "deleted": done.deleted,
                                "unusable_marc": done.unusable,
                                "partners": done.partners,
                            }
                        )
                    )
            except BinderyError as error:
                say(str(error))
                _note_trouble(file, error)
            stop.wait(every)


def _note_trouble(file: Path, error: BinderyError) -> None:
    try:
        connection = index.connect(file)
    except BinderyError:
        return
    try:
        _note(connection, trouble=error.code, troubled=str(int(time.time())))
    except sqlite3.DatabaseError:
        return
    finally:
        connection.close()


def _note(connection: sqlite3.Connection, **facts: str) -> None:
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts.items())
