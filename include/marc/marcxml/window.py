"""The stretch of a stream that is being looked at, in one buffer that is used again."""

from __future__ import annotations

from typing import Protocol

import numpy as np

#: Spare bytes behind what was read, so that a tag may be compared from any place in it.
SPARE = 512


class Readable(Protocol):
    """What a window reads from."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class Window:
    """`buffer[:end]`; bytes are read on with `more`, and those done with are dropped with `drop`. `left`: bytes that may yet be read, if bounded."""

    def __init__(self, stream: Readable, size: int, left: int | None = None) -> None:
        self._stream, self._size, self._left = stream, size, left
        self.buffer = np.zeros(size + SPARE, np.uint8)
        self.end = 0
        self.ended = False

    def more(self) -> None:
        """Read up to `size` bytes more; sets `ended` if there are none behind them."""
        goal = self.end + (self._size if self._left is None else min(self._size, self._left))
        if len(self.buffer) < goal + SPARE:
            larger = np.zeros(goal + SPARE + self._size // 2, np.uint8)
            larger[: self.end] = self.buffer[: self.end]
            self.buffer = larger
        while self.end < goal and not self.ended:
            count = self._read(goal)
            self.ended = not count
            self.end += count
            self._left = None if self._left is None else self._left - count
        self.ended = self.ended or self._left == 0
        self.buffer[self.end : self.end + SPARE] = 0

    def _read(self, goal: int) -> int:
        into = getattr(self._stream, "readinto", None)
        if into is not None:
            return int(into(self.buffer.data[self.end : goal]))
        part = self._stream.read(goal - self.end)
        self.buffer[self.end : self.end + len(part)] = np.frombuffer(part, np.uint8)
        return len(part)

    def drop(self, size: int) -> None:
        """Take `size` bytes off the front."""
        rest = self.end - size
        self.buffer[:rest] = self.buffer[size : self.end].copy()
        self.end = rest
        self.buffer[rest : rest + SPARE] = 0
