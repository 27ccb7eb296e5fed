"""Calls that end in time, whatever the other side does.

A library that talks to a server may wait for ever on a silent one. Its calls run in a thread of their own, and the caller waits no longer
than it says: on a time-out the connection is cut (which also ends the stuck call), and the next call starts anew. The threads are daemons:
a stuck one never keeps a process from ending. In a forked child, where threads do not live on, everything starts anew too.
"""

from __future__ import annotations

import io
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from include.engine.storage.drive import BLOCK

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")


class Bounded:
    """One thread that makes calls one after the other. `cut` is called, from the waiting side, when an answer does not come in time."""

    def __init__(self, name: str, cut: Callable[[], None]) -> None:
        self._name, self._cut = name, cut
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] | None = None
        self._pid, self._lock = 0, threading.Lock()
        self.generation = 0  # changes when connections made before can no longer be used

    def call(self, work: Callable[[], T], seconds: float) -> T:
        """What `work` returns or raises; TimeoutError when that takes longer than `seconds`."""
        future: Future[T] = Future()
        with self._lock:
            calls = self._running()
        calls.put((future, work))
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():  # the work itself said so
                raise
            self._abandon(calls)
            raise TimeoutError(f"no answer within {seconds:g} s") from None

    def close(self) -> None:
        """End the thread once what was asked of it is done."""
        with self._lock:
            if self._calls is not None and self._pid == os.getpid():
                self._calls.put(None)
            self._calls = None

    def _running(self) -> queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]:
        if self._calls is None or self._pid != os.getpid():
            self._pid, self._calls = os.getpid(), queue.SimpleQueue()
            self.generation += 1
            threading.Thread(target=_serve, args=(self._calls,), name=self._name, daemon=True).start()
        return self._calls

    def _abandon(self, calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]) -> None:
        with self._lock:
            if self._calls is not calls:
                return
            self._calls = None
        self._cut()
        while not calls.empty():  # whoever waits behind the stuck call need not wait for its own time-out
            with suppress(queue.Empty):
                if (waiting := calls.get_nowait()) is not None:
                    waiting[0].set_exception(ConnectionError("the connection was cut after a call before this one hung"))
        calls.put(None)


def _serve(calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]) -> None:
    while (asked := calls.get()) is not None:
        future, work = asked
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        del future, work, asked  # the last file handed out must not live until the next call


class Blocks(io.RawIOBase):
    """A readable stream over blocks of bytes: what is asked for is taken from them as it is needed. `done` is called once, at close."""

    def __init__(self, blocks: Iterator[bytes], done: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._blocks, self._rest, self._done = blocks, memoryview(b""), done

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        with memoryview(buffer) as given, given.cast("B") as view:
            take = min(len(view), len(self._rest))
            view[:take] = self._rest[:take]
        self._rest = self._rest[take:]
        return take

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._rest = memoryview(b"")
            if self._done is not None:
                self._done()


def blocks_of(stream: Any, size: int = BLOCK) -> Iterator[bytes]:
    """The rest of a readable stream, `size` bytes at a time."""
    while block := stream.read(size):
        yield block
