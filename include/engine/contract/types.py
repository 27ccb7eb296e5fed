"""The standard's types as Arrow types: `logicalType`, made exact by `physicalType` where the logical one leaves a choice."""

from __future__ import annotations

import re

import pyarrow as pa

INTEGERS = {"int8": pa.int8(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64()}
PLAIN = {"string": pa.string(), "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us", tz="UTC")}
DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


def arrow_type(logical: str, physical: str | None, item: str | None = None) -> pa.DataType:
    """The Arrow type of a column; ValueError, saying what is allowed, for a pair that has none.

    Dates are date32; timestamps are microseconds in UTC; an array names the logical type of its items.
    """
    if logical == "array":
        if item is None:
            raise ValueError("an array must say what its items are: items: {logicalType: string}")
        return pa.list_(arrow_type(item, None))
    if logical in PLAIN:
        return PLAIN[logical]
    if logical == "integer":
        width = physical or "int64"
        if width not in INTEGERS:
            raise ValueError(f"physicalType {physical} is no integer: one of {', '.join(INTEGERS)}")
        return INTEGERS[width]
    if logical == "number":
        decimal = DECIMAL.fullmatch((physical or "").replace(" ", ""))
        if decimal:
            return pa.decimal128(int(decimal[1]), int(decimal[2]))
        if physical in (None, "double"):
            return pa.float64()
        raise ValueError(f"physicalType {physical} is no number: decimal(precision,scale) or double")
    raise ValueError(f"logicalType {logical} is not used here: string, boolean, date, timestamp, integer, number or array")
