"""What passes between the two steps that make rows of plain records."""

from __future__ import annotations

from dataclasses import dataclass

from include.marc.batch import Ints

#: Bits of Places.flags.
HIGH, REFERS = 1, 2


@dataclass(frozen=True)
class Places:
    """Rows as in a Batch, but for their texts, which stand at [start, stop). `key` is the tag's three bytes as uint32, first byte lowest, and 0
    for a leader. `odd`: records, by their index among those given, that need a closer look. `flags`, uint8: HIGH, the text has bytes above 127;
    REFERS, it has references or line ends to resolve; None if nobody looked."""

    rec: Ints
    key: Ints
    seq: Ints
    ind1: Ints
    ind2: Ints
    code: Ints
    start: Ints
    stop: Ints
    odd: Ints
    flags: Ints | None = None
