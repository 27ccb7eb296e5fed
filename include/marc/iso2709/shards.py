"""A file as byte ranges that can be read apart: a record belongs to the range in which it begins."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import BinaryIO

from include.marc.iso2709.pieces import BETWEEN, LARGEST, PLAUSIBLE

STEP = 1 << 18
#: So many bytes behind a terminator show whether a record begins there.
LOOK = 64


def boundary(stream: BinaryIO, at: int) -> int:
    """The first place from byte `at` on where a record begins; the end of the file if none does.

    It depends on the file and on `at` alone, so whoever reads up to `at` and whoever reads from there on agree. `stream` must be seekable.
    """
    size = stream.seek(0, os.SEEK_END)
    if at <= 0 or at >= size:
        return min(max(at, 0), size)
    place, first = at - 1, None
    while place < size and place - at < LARGEST:
        stream.seek(place)
        window = stream.read(STEP + LOOK)
        found = window.find(b"\x1d")
        while 0 <= found < STEP:
            behind = window[found + 1 : found + 1 + LOOK]
            start = place + found + 1
            if PLAUSIBLE.match(behind.lstrip(BETWEEN)) or start == size:
                return start
            first = start if first is None else first
            found = window.find(b"\x1d", found + 1)
        place += STEP
    return size if first is None else first


def shards(stream: BinaryIO, count: int) -> list[tuple[int, int]]:
    """About `count` byte ranges (start, stop) of nearly equal size that hold all records, each exactly once."""
    size = stream.seek(0, os.SEEK_END)
    cuts = sorted({boundary(stream, size * part // count) for part in range(count + 1)})
    return list(pairwise(cuts))
