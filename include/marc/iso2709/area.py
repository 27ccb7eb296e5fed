"""A block's records ready to be cut into rows: the bytes of all records, clean ones as they came and damaged ones as they were mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from include.marc.batch import Ints
from include.marc.build import Aside, Issue
from include.marc.iso2709.blocks import SPARE, Block
from include.marc.iso2709.shapes import Fields
from include.marc.iso2709.subfields import cut


@dataclass(frozen=True)
class Area:
    """`data` holds the fields (and, unless it was compacted, what else was in the block). For each record: `number`, `offset`, `length`.

    `issues` are by index of record; `aside` has what is no record. `used`: so many bytes of the block are dealt with; the others come again.
    """

    data: Ints
    fields: Fields
    number: Ints
    offset: Ints
    length: Ints
    used: int
    block: Block
    issues: Mapping[int, tuple[Issue, ...]] = field(default_factory=dict)
    aside: tuple[Aside, ...] = ()

    def raw(self, record: int) -> bytes:
        """The record's bytes as they came. Only until the next block is read."""
        start = int(self.offset[record]) - self.block.offset
        raw: bytes = self.block.buffer[start : start + int(self.length[record])].tobytes()
        return raw


def compacted(area: Area) -> Area:
    """Only the fields' own bytes, one field after the other, each with a byte between: few fields of many are searched faster so."""
    data, fields = area.data, area.fields
    taken = cut(data, fields.start, fields.end + 1)
    offsets = np.frombuffer(taken.buffers()[1], np.int32)[: len(taken) + 1]
    values = np.zeros(int(offsets[-1]) + SPARE, np.uint8)
    values[: offsets[-1]] = np.frombuffer(taken.buffers()[2], np.uint8)[: offsets[-1]]
    moved = Fields(fields.rec, fields.key, fields.seq, offsets[:-1], offsets[1:] - np.int32(1), fields.plain)
    return Area(values[: offsets[-1]], moved, area.number, area.offset, area.length, area.used, area.block, area.issues, area.aside)
