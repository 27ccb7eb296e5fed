"""Many values as one text, so that each step runs over all of them at once: joined by 0x1F, which no value can hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

SEPARATOR = b"\x1f"


def join(values: pa.Array) -> bytes:
    """All values of a binary or string array (no nulls), with 0x1F between; 0x1F inside a value becomes a blank."""
    parts = values.cast(pa.binary()).to_pylist()
    joined = SEPARATOR.join(parts)
    if joined.count(SEPARATOR) != max(len(parts) - 1, 0):
        joined = SEPARATOR.join([part.replace(SEPARATOR, b" ") for part in parts])
    return joined


def split(joined: bytes, count: int, kind: pa.DataType) -> pa.Array:
    """`count` values of type `kind` (pa.string() or pa.binary()) back out of joined bytes, without a Python object for each."""
    if count == 0:
        return pa.array([], kind)
    data = np.frombuffer(joined, np.uint8)
    edge = data == SEPARATOR[0]
    ends = np.flatnonzero(edge)
    assert len(ends) == count - 1, "a value gained or lost a separator"
    offsets = np.empty(count + 1, np.int32)
    offsets[0] = 0
    offsets[1:-1] = ends - np.arange(count - 1)
    offsets[-1] = len(data) - (count - 1)
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(offsets), pa.py_buffer(data[~edge].tobytes())])


def codepoints(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """The text's characters as numbers."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def text_of(points: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> str:
    """Numbers as text again."""
    return points.tobytes().decode("utf-32-le", "surrogatepass")
