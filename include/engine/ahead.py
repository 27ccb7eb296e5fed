"""Work on two threads where the libraries let Python's lock go: what comes is made ready ahead, what goes is finished behind.

Order stays as it is, memory grows by one item, and an error is raised where its caller would have met it without the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from queue import Empty, Queue
from threading import Semaphore, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")


@contextmanager
def ahead(items: Iterable[Item]) -> Iterator[Iterator[Item]]:
    """Iterate over `items` in a thread of its own: the next one is made while one is in use, and no more than that.

    On leaving, the thread is stopped and a generator is closed in it, whether it was read to its end or not.
    """
    ready: Queue[tuple[Item] | BaseException | None] = Queue(1)
    taken = Semaphore(0)
    left = False

    def produce() -> None:
        end: BaseException | None = None
        try:
            for item in items:
                ready.put((item,))
                del item  # it is its taker's: memory holds one in use and one being made
                taken.acquire()
                if left:
                    break
        except BaseException as error:
            end = error
        finally:
            if isinstance(items, Generator):
                items.close()
            ready.put(end)

    def consume() -> Iterator[Item]:
        while isinstance(found := ready.get(), tuple):
            taken.release()
            yield found[0]
            del found
        if found is not None:
            raise found

    thread = Thread(target=copy_context().run, args=(produce,), name="ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        left = True
        taken.release()
        while thread.is_alive():
            try:
                ready.get(timeout=0.01)
            except Empty:
                continue


class Behind:
    """Does tasks in a thread of its own, one after the other, while their giver goes on; at most one is under way."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "behind")
        self._last: Future[Any] | None = None

    def do(self, task: Callable[..., object], *given: object) -> None:
        """Begin `task` when the one before it is done; an error of that one is raised here."""
        self.wait()
        self._last = self._pool.submit(copy_context().run, task, *given)

    def wait(self) -> None:
        """Until all is done; raises the last task's error."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def end(self) -> None:
        """Until the task under way is over, however it ends; nothing more can be given."""
        self._pool.shutdown(wait=True)
        self._last = None
