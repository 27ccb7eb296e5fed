"""Writing the journal: entries wait in a group while the group before them becomes durable (group commit)."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, BinaryIO, NamedTuple

import msgspec

from connectors.circulation.journal.reading import IDENTITY, last
from connectors.circulation.journal.segment import Frames, new_header, new_path, segments
from include.engine.crypto.keys import DataKey, KeyStore
from include.engine.durable import sync_folder, write_whole
from include.engine.errors import BinderyError

log = logging.getLogger("bindery.circulation")
ROTATE = 64 << 20
"""Bytes after which a new segment is begun."""

_JSON = msgspec.json.Encoder()


class JournalFailed(BinderyError):
    """The journal can be written no more (a full or broken disk). Nothing may be answered "ok" until it can: the process must be started anew."""


class _Group(NamedTuple):
    """Entries that were put in one turn of the event loop, `first` the number of the first; who waits for which; an event for other threads."""

    first: int
    lines: list[bytes]
    waiting: list[tuple[asyncio.Future[int], int]]
    done: Event | None = None


class Journal:
    """One process writes one journal. Entries are numbered from the last durable one on; `append` says when its entry is durable.

    What is put in one turn of the event loop is handed to the journal's thread together, and what has come while the thread waited for the disk
    becomes durable with one frame. After a failed write or fsync nothing more is taken: what the disk holds is then unknown (fsync reports an
    error once, and the pages may be dropped), so only reading it back, at the next start, can tell. `another` gives each segment a key of its
    own, so that each can be forgotten for itself; while it cannot, the one before (at first `key`) is used again.
    """

    def __init__(
        self,
        folder: Path,
        keys: KeyStore,
        key: DataKey,
        *,
        rotate: int = ROTATE,
        sync: Callable[[int], None] = os.fdatasync,
        another: Callable[[], DataKey] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._key, self._rotate, self._sync, self._another = folder, key, rotate, sync, another
        self._lock = _only_writer(folder)
        _name(folder)
        _make_last_durable(folder)
        self._next = last(folder, keys) + 1
        self._durable = self._next - 1
        self._group = _Group(self._next, [], [])
        self._soon: asyncio.AbstractEventLoop | None = None
        """The loop that hands the group over in its next turn."""
        self._failed: JournalFailed | None = None
        self._closing = False
        self._file: BinaryIO | None = None
        self._size = 0
        self._frames: Frames | None = None
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def durable(self) -> int:
        """The number of the last entry that is durable."""
        return self._durable

    @property
    def newest(self) -> int:
        """The number of the last entry that was put, durable or not yet."""
        return self._next - 1

    def append(self, data: Mapping[str, Any]) -> asyncio.Future[int]:
        """Put an entry at the end, from the event loop's thread. The future has its number once it is durable; JournalFailed when it is not."""
        number = self._put(data)
        return self._when(number)

    async def settled(self) -> None:
        """Return once everything that was put so far is durable. JournalFailed when it cannot be."""
        if self._failed is not None:
            raise self._failed
        if self._durable < self._next - 1:
            await self._when(self._next - 1)

    def write(self, data: Mapping[str, Any]) -> int:
        """Put an entry at the end and wait until it is durable; for use without an event loop. Returns its number."""
        number = self._put(data)
        self.flush()
        return number

    def flush(self) -> None:
        """Wait until everything that was put is durable. Like `append`, for the thread that puts."""
        if self._durable < (wanted := self._next - 1) and not self._closing:
            done = Event()
            self._hand_over(done)
            done.wait()
        if self._durable < wanted and self._failed is not None:
            raise self._failed

    def close(self) -> None:
        """Make everything durable and end. The journal takes nothing more."""
        self._hand_over()
        self._closing = True
        self._groups.put(None)
        self._thread.join()
        if self._file is not None:
            self._file.close()
        self._lock.close()

    def _put(self, data: Mapping[str, Any]) -> int:
        if self._failed is not None:
            raise self._failed
        if self._closing:
            raise JournalFailed("the journal is closed", do="Start the process anew.")
        number = self._next
        self._group.lines.append(_JSON.encode((number, data)))
        self._next = number + 1
        return number

    def _when(self, number: int) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[int] = loop.create_future()
        if self._soon is not loop:
            self._soon = loop
            loop.call_soon(self._hand_over)
        self._group.waiting.append((durable, number))
        return durable

    def _hand_over(self, done: Event | None = None) -> None:
        self._soon = None
        group = self._group
        if group.lines or group.waiting or done is not None:
            self._group = _Group(self._next, [], [])
            self._groups.put(group if done is None else group._replace(done=done))

    def _run(self) -> None:
        while True:
            groups = [self._groups.get()]
            with suppress(Empty):
                while True:
                    groups.append(self._groups.get_nowait())
            found = [group for group in groups if group is not None]
            if found:
                self._keep(found)
            if len(found) < len(groups):
                return

    def _keep(self, groups: list[_Group]) -> None:
        lines = [line for group in groups for line in group.lines]
        if lines and self._failed is None:
            try:
                self._make_durable(b"\n".join(lines), groups[0].first)
                self._durable += len(lines)
            except Exception as fault:  # whatever it is: a thread that ended would leave everybody waiting for ever
                why = (fault.strerror if isinstance(fault, OSError) else None) or f"{type(fault).__name__}: {fault}"
                self._failed = JournalFailed(f"the journal cannot be written: {why}", do="Make room or mend the disk, then start anew.")
        _tell([one for group in groups for one in group.waiting], self._failed)
        for group in groups:
            if group.done is not None:
                group.done.set()

    def _make_durable(self, lines: bytes, first: int) -> None:
        if self._file is None or self._size >= self._rotate:
            self._begin(first)
        assert self._file is not None and self._frames is not None
        self._size += self._file.write(self._frames.seal(lines))
        self._file.flush()
        self._sync(self._file.fileno())

    def _begin(self, first: int) -> None:
        """A new segment. Its name is durable before its first frame is said to be."""
        if self._file is not None:
            self._file.close()
        self._key = self._next_key()
        header = new_header(first, self._key)
        self._file = new_path(self._folder, first).open("xb")
        os.fchmod(self._file.fileno(), 0o600)
        self._size = self._file.write(header.raw)
        self._frames = Frames(header, self._key)
        sync_folder(self._folder)

    def _next_key(self) -> DataKey:
        if self._another is None:
            return self._key
        try:
            return self._another()
        except Exception as trouble:  # the key store is away: no reason to take no more transactions
            log.warning("the journal's next segment has the key of the one before: %s", type(trouble).__name__)
            return self._key


def _name(folder: Path) -> None:
    """Give a new journal its name, durably."""
    path = folder / IDENTITY
    if not path.exists():
        write_whole(path, secrets.token_hex(8).encode())


def _make_last_durable(folder: Path) -> None:
    """A kill may have left a frame that is written and not on disk yet. It is about to count, and what is written next would outlive it."""
    for path in segments(folder)[-1:]:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _only_writer(folder: Path) -> BinaryIO:
    """A lock that ends with this process. JournalFailed when another one writes here."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise JournalFailed(
            f"another process writes the journal in {folder}",
            do="End it first, or give this one a folder of its own.",
            code="JOURNAL_IN_USE",
        ) from None
    return lock


def _tell(waiting: list[tuple[asyncio.Future[int], int]], error: JournalFailed | None) -> None:
    """Wake those who wait, with one call into their event loop for the whole group."""

    def wake() -> None:
        for future, number in waiting:
            if future.done():
                continue  # its connection is gone; the entry stands all the same
            if error is None:
                future.set_result(number)
            else:
                future.set_exception(error)

    if waiting:
        try:
            waiting[0][0].get_loop().call_soon_threadsafe(wake)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more
