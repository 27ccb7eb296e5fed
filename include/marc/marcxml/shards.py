"""A file of MARCXML as byte ranges that can be read apart: a record belongs to the range in which it begins."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from typing import BinaryIO

RECORD = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?record(?=[\s>])")
STEP = 1 << 18
LOOK = 128


def boundary(stream: BinaryIO, at: int) -> int:
    """The first place from byte `at` on where a record element begins; the end of the file if none does. `stream` must be seekable."""
    size = stream.seek(0, os.SEEK_END)
    place = at
    while place < size:
        stream.seek(place)
        found = RECORD.search(stream.read(STEP + LOOK))
        if found:
            return place + found.start()
        place += STEP
    return size


def shards(stream: BinaryIO, count: int) -> list[tuple[int, int]]:
    """About `count` byte ranges (start, stop) of nearly equal size that hold all records, each exactly once."""
    size = stream.seek(0, os.SEEK_END)
    cuts = sorted({0, size, *(boundary(stream, size * part // count) for part in range(1, count))})
    return list(pairwise(cuts))
