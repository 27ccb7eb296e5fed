"""A digest of what each record says, whatever file format, character set and order of bytes it came in."""

from __future__ import annotations

import numpy as np

from include.marc.batch import Batch, Ints
from include.marc.compare.differences import OF_BYTES
from include.marc.iso2709 import engine
from include.marc.write.marcxml import elements

HEAD = "<leader>"


def content_digests(batch: Batch) -> Ints:
    """uint64 for each record: of its element, with those positions of the leader blanked that tell of the bytes."""
    found = elements(batch)
    if not len(batch):
        return np.zeros(0, np.uint64)
    offsets = np.frombuffer(found.buffers()[1], np.int32)[: len(batch) + 1].astype(np.int64)
    data = np.frombuffer(found.buffers()[2], np.uint8).copy()
    leader = offsets[:-1] + found[0].as_py().index(HEAD) + len(HEAD)  # it stands at the same place in each
    for position in OF_BYTES:
        data[leader + position] = ord(" ")
    return engine.digests(data, offsets[:-1], np.diff(offsets))
