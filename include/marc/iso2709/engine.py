"""Which of the two ways of reading is used: compiled C where a compiler is at hand, NumPy everywhere else. They give the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xxhash

from include.marc.batch import Bools, Ints
from include.marc.charsets import utf8
from include.marc.iso2709 import compiled, directory, subfields
from include.marc.iso2709.shapes import Fields, Rows, Spans


def fields(buffer: Ints, end: int, *, subfields_below_010: bool, wanted: Bools | None = None) -> tuple[Spans, Fields]:
    """The spans of a block, and the fields of those that are clean records: directory.fields."""
    library = compiled.functions()
    if library is None:
        return directory.fields(buffer, end, subfields_below_010=subfields_below_010, wanted=wanted)
    return compiled.fields(library, buffer, end, subfields_below_010=subfields_below_010, wanted=wanted)


def rows(area: Ints, fields: Fields, tag: Ints, look: Bools) -> Rows:
    """The rows of fields: subfields.rows."""
    library = compiled.functions()
    return subfields.rows(area, fields, tag, look) if library is None else compiled.rows(library, area, fields, tag, look)


def looks_at_all() -> bool:
    """Whether `rows` looks at every byte of an area, and not at the fields only."""
    return compiled.functions() is None


def values(area: Ints, other: Ints, start: Ints, end: Ints, flags: Ints | None = None) -> tuple[pa.BinaryArray, Ints]:
    """The values [start, end); places from the area's end on are in `other`. Behind both there are SPARE bytes.

    With the `flags` of the rows also those rows whose value is no UTF-8."""
    library = compiled.functions()
    if library is not None:
        return compiled.values(library, area, other, start, end, flags)
    found = subfields.cut(np.concatenate([area, other]) if len(other) else area, start, end)
    return found, np.zeros(0, np.int32) if flags is None else utf8.wrong(found)


def digests(data: Ints, start: Ints, length: Ints) -> Ints:
    """A uint64 for each stretch of `data`, the same for the same bytes. Only to be compared within one process: the two ways differ."""
    library = compiled.functions()
    if library is not None:
        return compiled.digests(library, data, start, length)
    whole = memoryview(data)  # type: ignore[arg-type]
    found = [xxhash.xxh3_64_intdigest(whole[at : at + size]) for at, size in zip(start.tolist(), length.tolist(), strict=True)]
    return np.array(found, np.uint64)
