"""The original bytes of rows that a gate set aside, cut from the landed file."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from include.engine.inbound.connector import Work
from include.engine.quarantine.schema import conform
from include.engine.storage.cut import cut


def with_originals(work: Work, rows: pa.Table) -> pa.Table:
    """`rows` (SET_ASIDE, `raw` missing) with each record's bytes; one pass over the file. A row whose place is unknown keeps null."""
    rows = conform(rows)
    known = pc.and_(pc.greater_equal(rows.column("length"), 0), pc.greater_equal(rows.column("offset"), 0))
    places = pc.indices_nonzero(known)
    if not len(places):
        return rows
    order = pc.sort_indices(rows.take(places).select(["member", "offset"]), sort_keys=[("member", "ascending"), ("offset", "ascending")])
    places = places.take(order)
    spans = zip(*(rows.column(name).take(places).to_pylist() for name in ("member", "offset", "length")), strict=True)
    raw: list[bytes | None] = [None] * rows.num_rows
    for place, original in zip(places.to_pylist(), cut(work.members, spans), strict=True):
        raw[place] = original
    return rows.set_column(rows.schema.get_field_index("raw"), "raw", pa.array(raw, pa.binary()))
