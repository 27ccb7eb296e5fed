"""A stream whose latest bytes can be had once more: a row that cannot be taken in is set aside with its record's own bytes."""

from __future__ import annotations

import io
from typing import BinaryIO


class Remembered(io.RawIOBase):
    """Reads on in `stream`, and keeps what it read until it is forgotten."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._kept = bytearray()
        self._offset = 0  # of the first byte that is kept

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        part = self._stream.read(size)
        self._kept += part
        return part

    def readinto(self, room: memoryview, /) -> int:  # type: ignore[override]
        """The same into `room`."""
        part = self.read(len(room))
        room[: len(part)] = part
        return len(part)

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Bytes that were read, and are not forgotten."""
        start = offset - self._offset
        return bytes(self._kept[start : start + length])

    def forget(self, before: int) -> None:
        """Bytes before this place are not asked for again."""
        del self._kept[: before - self._offset]
        self._offset = before
