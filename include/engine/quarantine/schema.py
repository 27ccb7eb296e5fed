"""The shape in which every reader and gate hands over the records that it set aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

SET_ASIDE: pa.Schema = pa.schema(
    [
        pa.field("member", pa.string(), nullable=False),  # path inside an archive, "" for a bare file
        pa.field("record", pa.int64(), nullable=False),  # 1-based within the member
        pa.field("offset", pa.int64(), nullable=False),  # of the record's first byte in the unpacked member
        pa.field("length", pa.int32(), nullable=False),  # bytes with the terminator; -1 where unknown
        pa.field("reason", pa.string(), nullable=False),  # a code of reasons/
        pa.field("column", pa.string()),
        pa.field("detail", pa.string()),  # plain English, personal values masked
        pa.field("raw", pa.binary()),  # the record's original bytes: only ever in a sealed file
    ]
)


def set_aside(rows: Iterable[Mapping[str, Any]] = ()) -> pa.Table:
    """A SET_ASIDE table of `rows`: mappings that hold `reason` and whatever else is known (offset 0, length -1 and nulls otherwise)."""
    unknown = {"member": "", "record": 0, "offset": 0, "length": -1}
    return pa.Table.from_pylist([{**unknown, **row} for row in rows], schema=SET_ASIDE)


def conform(table: pa.Table) -> pa.Table:
    """`table` with exactly the columns of SET_ASIDE, in their order and types; those it lacks (`raw`, from a gate) become null."""
    columns = [
        table.column(field.name).cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in SET_ASIDE
    ]
    return pa.Table.from_arrays(columns, schema=SET_ASIDE)
