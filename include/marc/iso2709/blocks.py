"""A stream of ISO 2709 bytes as blocks that end where a record ends, in one buffer that is used again for each block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from include.marc.batch import Ints
from include.marc.iso2709.pieces import LARGEST

END_OF_RECORD, END_OF_FIELD, DELIMITER = 0x1D, 0x1E, 0x1F
#: Spare bytes behind a block, so that eight bytes may be looked at from any place in it.
SPARE = 64
STEP = 1 << 18


@dataclass(frozen=True)
class Block:
    """`buffer[:end]` are the bytes from `offset` of the file; `last`: nothing comes behind them. Valid until the next block is asked for."""

    buffer: Ints
    end: int
    offset: int
    last: bool

    @property
    def data(self) -> Ints:
        """The block's bytes."""
        return self.buffer[: self.end]


class Blocks:
    """Reads `stream`, which stands at byte `offset` of its file, to its end or to byte `stop`."""

    def __init__(self, stream: BinaryIO, size: int, offset: int = 0, stop: int | None = None) -> None:
        self._stream, self._size = stream, size
        self._left = None if stop is None else stop - offset
        self._buffer = np.empty(0, np.uint8)
        self._filled = 0  # bytes in the buffer
        self._used = 0  # of them, given out
        self._offset = offset  # of the buffer's first byte
        self._ended = False

    def next(self) -> Block | None:
        """The next block, whole records as far as terminators tell; None at the end."""
        self._shift()
        while True:
            self._read(self._size)
            end = self._filled if self._ended else _after_last(self._buffer[: self._filled], END_OF_RECORD)
            if not end and self._filled > LARGEST:
                end = self._filled  # no record is as long as this
            if end or self._ended:
                break
        if not end:
            return None
        self._used = end
        return self._block(end)

    def give_back(self, end: int) -> None:
        """Only the first `end` bytes of the block were used: the next one begins with the others, and reads on."""
        self._used = end

    def _shift(self) -> None:
        rest = self._filled - self._used
        self._buffer[:rest] = self._buffer[self._used : self._filled].copy()
        self._offset += self._used
        self._filled, self._used = rest, 0

    def _read(self, size: int) -> None:
        """Up to `size` bytes more."""
        if len(self._buffer) < self._filled + size + SPARE:
            larger = np.empty(self._filled + size + SPARE + size // 8, np.uint8)
            larger[: self._filled] = self._buffer[: self._filled]
            self._buffer = larger
        goal = self._filled + (size if self._left is None else min(size, self._left))
        while self._filled < goal and not self._ended:
            room = self._buffer.data[self._filled : goal]
            count = self._stream.readinto(room) if hasattr(self._stream, "readinto") else _read_into(self._stream, room)
            self._ended = not count
            self._filled += count
            self._left = None if self._left is None else self._left - count
        self._ended = self._ended or self._left == 0

    def _block(self, end: int) -> Block:
        return Block(self._buffer, end, self._offset, self._ended and end == self._filled)


def _read_into(stream: BinaryIO, room: memoryview) -> int:
    part = stream.read(len(room))
    room[: len(part)] = part
    return len(part)


def _after_last(data: Ints, byte: int) -> int:
    """The place behind the last `byte`; 0 if there is none."""
    stop = len(data)
    while stop > 0:
        start = max(0, stop - STEP)
        found = np.flatnonzero(data[start:stop] == byte)
        if len(found):
            return start + int(found[-1]) + 1
        stop = start
    return 0
