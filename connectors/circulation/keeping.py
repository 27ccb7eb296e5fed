"""What the sidecar sees to while it serves: its store is kept and filled anew, its journal does not grow for ever."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from connectors.circulation.backend import Away
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.embedded.fillfile import SUFFIX, Fill, answer, fills, opened_fill
from connectors.circulation.embedded.filling import build
from connectors.circulation.embedded.store import Store
from connectors.circulation.journal import JournalFailed, identity
from connectors.circulation.journal.marker import taken
from connectors.circulation.journal.retiring import retire
from include.engine import clock
from include.engine.crypto.keys import KeyStore
from include.engine.errors import BinderyError, SettingsError
from include.engine.reasons import words

log = logging.getLogger("bindery.circulation")
LOOK_SECONDS = 1.0
RETIRE_SECONDS = 3600.0
DAYS = "BINDERY_JOURNAL_DAYS"
"""How many days a segment of the journal is kept after the lake has it; 30 by default."""


async def keep(backend: Embedded, seconds: float) -> None:
    """Bring the store up to date now and then; after trouble with its database, connect afresh and bring in what it missed."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await backend.commit_behind()
        except Away as away:
            log.error("the store is away: %s", away)
            await _back(backend, seconds)
            log.warning("the store is back")


async def _back(backend: Embedded, seconds: float) -> None:
    """Return once the store is there again, and has what it missed."""
    while True:
        try:
            await asyncio.to_thread(_look, backend.store)  # which may take seconds, while machines are answered that the store is away
            backend.open_again()
        except JournalFailed:
            raise
        except Exception as trouble:  # the database still, or the key store that the journal is read with
            log.info("the store stays away: %s", type(trouble).__name__)
            await asyncio.sleep(seconds)
        else:
            return


def _look(store: Store) -> None:
    """Away while the store cannot be reached."""
    store.reader().close()


class Filled(Protocol):
    """What a fill goes into: the embedded back end, or the copy before another library system. While a fill is made, entries go to `tap`."""

    tap: list[tuple[int, dict[str, Any]]] | None

    @property
    def store(self) -> Store: ...

    async def settled(self) -> None: ...

    def change_over(self, made: Store, fill: Fill) -> None: ...


async def take_fills(folder: Path, keys: KeyStore, backend: Filled) -> None:
    """Take over each new fill of the store. One that cannot be used is answered so, and the store stays as it is."""
    while True:
        found = sorted(fills(folder).glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        for path in found[:-1]:
            path.unlink()  # overtaken
        for path in found[-1:]:
            await _take(path, folder, keys, backend)
        await asyncio.sleep(LOOK_SECONDS)


async def _take(path: Path, folder: Path, keys: KeyStore, backend: Filled) -> None:
    backend.tap = []
    try:
        await backend.settled()  # what was put before is read from the journal, and must be there by then
        fill, made, counts = await asyncio.to_thread(_built, path, folder, keys, backend.store)
        backend.change_over(made, fill)
    except BinderyError as error:
        known = error.code if error.code.startswith("FILL_") else "FILL_FAILED"
        log.error("the store stays as it is: %s", error)
        answer(path, known, words(known, "en"), taken=False)
    except Exception as error:
        log.exception("the store stays as it is: %s", type(error).__name__)
        answer(path, "FILL_FAILED", f"{words('FILL_FAILED', 'en')} ({type(error).__name__})", taken=False)
    else:
        said = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
        log.info("the store was filled: %s", said)
        answer(path, "STORE_FILLED", said, taken=True)
    finally:
        backend.tap = None


def _built(path: Path, folder: Path, keys: KeyStore, store: Store) -> tuple[Fill, Store, Counter[str]]:
    with opened_fill(path, keys) as fill:
        return fill, *build(fill, folder, keys, store)


class Committed(Protocol):
    """A back end that says up to which entry it does not need the journal any more."""

    @property
    def committed(self) -> int: ...


async def retire_segments(folder: Path, keys: KeyStore, backend: Committed) -> None:
    """Let go of segments that the lake has, that the back end has, and whose time is over."""
    journal = folder / "journal"
    try:
        kept = timedelta(days=float(os.environ.get(DAYS, "30")))
    except (ValueError, OverflowError):
        raise SettingsError(f"{DAYS} is no number of days.", do="Write one, such as 30.") from None
    while True:
        until = min(taken(journal, identity(journal)), backend.committed)
        try:
            gone = await asyncio.to_thread(retire, journal, keys, until=until, kept=kept, now=clock.now, subject=folder.name)
            log.info("%d segments of the journal were let go", len(gone))
        except Exception as error:  # the key store may be away for a while: the next round is in an hour
            log.error("the journal keeps its segments: %s", type(error).__name__)
        await asyncio.sleep(RETIRE_SECONDS)
