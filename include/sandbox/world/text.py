"""Columns of text made in bulk: numbers, dates and identifiers as Arrow strings, and rows joined from columns.

One call a column and one call a chunk: a million rows of fifteen columns are joined in well under a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.world.chance import Bits, Index

Strings = Any  # pa.StringArray; pyarrow ships no types

_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_UUID = (8, 13, 18, 23)


def fixed(cells: npt.NDArray[np.uint8]) -> Strings:
    """Strings of equal width out of a byte matrix (rows, width)."""
    rows, width = cells.shape
    offsets = np.arange(0, (rows + 1) * width, width or 1, dtype=np.int32)[: rows + 1]
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(cells)))


def digits(numbers: Index, width: int) -> Strings:
    """Whole numbers as `width` digits, zero-filled."""
    left = numbers.astype(np.int64)
    cells = np.empty((len(left), width), dtype=np.uint8)
    for place in range(width - 1, -1, -1):
        left, cells[:, place] = left // 10, (left % 10) + 48
    return fixed(cells)


def whole(numbers: Index) -> Strings:
    """Whole numbers as they are written."""
    return pc.cast(pa.array(numbers.astype(np.int64)), pa.string())


def uuids(first: Bits, second: Bits) -> Strings:
    """RFC 4122 version 4 identifiers (36 characters) out of two hashes a row."""
    octets = np.concatenate([first.astype(">u8").view(np.uint8).reshape(-1, 8), second.astype(">u8").view(np.uint8).reshape(-1, 8)], axis=1)
    octets[:, 6] = (octets[:, 6] & 0x0F) | 0x40
    octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
    digits_ = np.empty((len(octets), 32), dtype=np.uint8)
    digits_[:, 0::2], digits_[:, 1::2] = _HEX[octets >> 4], _HEX[octets & 0x0F]
    cells = np.full((len(octets), 36), ord("-"), dtype=np.uint8)
    cells[:, [place for place in range(36) if place not in _UUID]] = digits_
    return fixed(cells)


def pick(words: Sequence[str | None], index: Index) -> Strings:
    """`words[index]` for every row."""
    return pa.array(words, pa.string()).take(pa.array(index.astype(np.int32)))


def days(numbers: Index, pattern: str) -> Strings:
    """Days since 1970-01-01 written by a strftime pattern; the pattern is applied once a distinct day, not once a row."""
    distinct, place = np.unique(numbers, return_inverse=True)
    written = [
        str(day) for day in pc.strftime(pa.array(distinct.astype("datetime64[D]")).cast(pa.timestamp("s")), format=pattern).to_pylist()
    ]
    return pick(written, place.astype(np.int64))


def clock(seconds: Index, pattern: str = "%H:%M:%S") -> Strings:
    """Seconds since midnight written by a strftime pattern."""
    distinct, place = np.unique(seconds, return_inverse=True)
    stamps = pa.array(distinct.astype("datetime64[s]"))
    # %S of a timestamp in whole seconds carries no fraction.
    return pick(pc.strftime(stamps.cast(pa.timestamp("s")), format=pattern).to_pylist(), place.astype(np.int64))


def joined(*parts: Strings | str, separator: str = "") -> Strings:
    """The parts of every row joined; a plain string stands for the same text in every row, a null for nothing."""
    return pc.binary_join_element_wise(*parts, separator, null_handling="replace", null_replacement="")


def blank(column: Strings, where: npt.NDArray[np.bool_]) -> Strings:
    """`column` with null `where` true."""
    return pc.if_else(pa.array(where), pa.scalar(None, pa.string()), column)


def either(where: npt.NDArray[np.bool_], yes: Strings | str, no: Strings | str) -> Strings:
    """`yes` where true, else `no`."""
    return pc.if_else(pa.array(where), yes, no)


def octets(column: Strings) -> memoryview:
    """The characters of all rows, one after the other, as UTF-8 bytes and without a copy."""
    if column.null_count:
        raise ValueError("a column of lines has no nulls")
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return memoryview(b"")
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(column) + 1, offset=column.offset * 4)
    return memoryview(data)[ends[0] : ends[-1]]
