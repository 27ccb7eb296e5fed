"""Batches of even size: each question to Great Expectations costs a tenth of a second whatever its rows, so small batches wait for company."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

LARGEST = 128 << 20
"""Bytes after which rows wait no longer: those with whole documents in them would otherwise fill the memory."""


class Gather:
    """Holds back rows until there are `size` of them, or LARGEST bytes, in their order.

    A batch of `enough` bytes needs no company: where none wait before it, it is handed on as it is, and not copied together with others.
    """

    def __init__(self, size: int, enough: int | None = None) -> None:
        self._size, self._enough = size, enough
        self._held, self._rows, self._bytes = list[pa.RecordBatch](), 0, 0

    def add(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Take rows in; batches of exactly `size` rows as they come full, of fewer where rows are long."""
        while self._rows + batch.num_rows >= self._size:
            missing = self._size - self._rows
            self._held.append(batch.slice(0, missing))
            batch = batch.slice(missing)
            yield from self.rest()
        if batch.num_rows:
            self._held.append(batch)
            self._rows += batch.num_rows
            self._bytes += batch.nbytes
            if self._bytes >= (LARGEST if self._enough is None or len(self._held) > 1 else self._enough):
                yield from self.rest()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """What is held, as one batch."""
        if self._held:
            batch = self._held[0] if len(self._held) == 1 else pa.concat_batches(self._held)
            self._held, self._rows, self._bytes = [], 0, 0  # let go of the parts before the whole is handed out
            yield batch


def gathered(batches: Iterable[pa.RecordBatch], size: int, enough: int | None = None) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `size`, the last one smaller."""
    gather = Gather(size, enough)
    for batch in batches:
        yield from gather.add(batch)
    yield from gather.rest()
