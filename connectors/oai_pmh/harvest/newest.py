"""Of a record that came more than once, which coming counts: the one with the highest datestamp, of equal ones the last."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash


class Comings:
    """Every coming of every record, in order: 24 bytes each, so that ten million fit."""

    def __init__(self) -> None:
        self._low, self._high, self._at = array("Q"), array("Q"), array("q")

    def add(self, identifier: bytes, at: int) -> None:
        """One coming: `at` orders the comings of one record (seconds of its datestamp)."""
        digest = xxhash.xxh3_128_intdigest(identifier)
        self._low.append(digest & 0xFFFFFFFFFFFFFFFF)
        self._high.append(digest >> 64)
        self._at.append(at)

    def counting(self) -> npt.NDArray[np.bool_]:
        """For each coming whether it is the one that counts."""
        kept = np.zeros(len(self._at), np.bool_)
        if not len(kept):
            return kept
        low, high, at = (
            np.frombuffer(column, kind) for column, kind in ((self._low, np.uint64), (self._high, np.uint64), (self._at, np.int64))
        )
        order = np.lexsort((np.arange(len(kept)), at, low, high))
        last: Any = np.ones(len(kept), np.bool_)
        last[:-1] = (low[order][1:] != low[order][:-1]) | (high[order][1:] != high[order][:-1])
        kept[order[last]] = True
        return kept
