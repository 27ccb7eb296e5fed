"""A progress bar for whoever waits at a terminal: how much of the file is read, how many records, how long it will take."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from include.marc.batch import Batch


class Counted(io.FileIO):
    """A file that knows how far it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.size = path.stat().st_size

    @property
    def share(self) -> float:
        """How much of it, from 0 to 1."""
        return self.tell() / self.size if self.size and not self.closed else 1.0


class Bar:
    """Shows on the error stream, and only at a terminal."""

    def __init__(self, bar: Progress, task: TaskID, file: Counted) -> None:
        self._bar, self._task, self.file = bar, task, file
        self.records = 0

    @property
    def stream(self) -> BinaryIO:
        """What readers read from."""
        return cast(BinaryIO, self.file)

    def over(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, counted as they go by."""
        for batch in batches:
            self.records += len(batch) + batch.aside.num_rows
            self._bar.update(self._task, completed=self.file.share, records=f"{self.records:,}")
            yield batch


@contextmanager
def shown(path: Path, *, quiet: bool = False) -> Iterator[Bar]:
    """A bar over the reading of one file. Raises OSError where it cannot be read."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.fields[records]} records"))
    with (
        Counted(path) as file,
        Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet or not console.is_terminal, transient=True) as bar,
    ):
        yield Bar(bar, bar.add_task(path.name, total=1.0, records="0"), file)
