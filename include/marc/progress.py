"""A progress bar for whoever waits at a terminal: how much is read, how many records, how long it will take."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from include.marc.batch import Batch

#: Told how much is done, from 0 to 1, and how many records that were.
Tell = Callable[[float, int], None]


def nobody(share: float, records: int) -> None:
    """Where nobody looks."""


class Counted(io.FileIO):
    """A file that knows how far it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.size = path.stat().st_size

    @property
    def share(self) -> float:
        """How much of it, from 0 to 1."""
        return self.tell() / self.size if self.size and not self.closed else 1.0

    def over(self, batches: Iterable[Batch], tell: Tell) -> Iterator[Batch]:
        """The batches that are read from it, told of as they go by."""
        records = 0
        for batch in batches:
            records += len(batch) + batch.aside.num_rows
            tell(self.share, records)
            yield batch


class Together:
    """Several files that are read at once, of `size` bytes in all."""

    def __init__(self, size: int, tell: Tell) -> None:
        self._size, self._tell, self._lock = max(size, 1), tell, Lock()
        self._bytes = self._records = 0

    def add(self, batch: Batch) -> None:
        """A batch of any of them."""
        with self._lock:
            self._bytes += int(batch.length.sum())
            self._records += len(batch) + batch.aside.num_rows
            self._tell(min(self._bytes / self._size, 1.0), self._records)


@contextmanager
def shown(words: str, *, quiet: bool = False) -> Iterator[Tell]:
    """A bar on the error stream, if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield nobody
        return
    from rich.console import Console  # not above: it takes a quarter of the time in which a command starts
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.fields[records]} records"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=1.0, records="0")
        yield lambda share, records: bar.update(task, completed=share, records=f"{records:,}")
