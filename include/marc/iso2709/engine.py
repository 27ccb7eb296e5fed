"""Which of the two ways of reading is used: compiled C where a compiler is at hand, NumPy everywhere else. They give the same."""

from __future__ import annotations

import numpy as np
import xxhash

from include.marc.batch import Bools, Ints
from include.marc.iso2709 import compiled, directory, subfields
from include.marc.iso2709.shapes import Fields, Rows, Spans


def fields(buffer: Ints, end: int, *, subfields_below_010: bool, wanted: Bools | None = None) -> tuple[Spans, Fields]:
    """The spans of a block, and the fields of those that are clean records: directory.fields."""
    library = compiled.functions()
    if library is None:
        return directory.fields(buffer, end, subfields_below_010=subfields_below_010, wanted=wanted)
    return compiled.fields(library, buffer, end, subfields_below_010=subfields_below_010, wanted=wanted)


def rows(area: Ints, fields: Fields, look: Bools) -> Rows:
    """The rows of fields: subfields.rows."""
    library = compiled.functions()
    return subfields.rows(area, fields, look) if library is None else compiled.rows(library, area, fields, look)


def digests(data: Ints, start: Ints, length: Ints) -> Ints:
    """A uint64 for each stretch of `data`, the same for the same bytes. Only to be compared within one process: the two ways differ."""
    library = compiled.functions()
    if library is not None:
        return compiled.digests(library, data, start, length)
    whole = memoryview(data)  # type: ignore[arg-type]
    found = [xxhash.xxh3_64_intdigest(whole[at : at + size]) for at, size in zip(start.tolist(), length.tolist(), strict=True)]
    return np.array(found, np.uint64)
