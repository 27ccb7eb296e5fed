"""Which of the two ways of reading is used: compiled C where a compiler is at hand, NumPy everywhere else. They give the same."""

from __future__ import annotations

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
