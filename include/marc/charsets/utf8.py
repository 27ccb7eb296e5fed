"""UTF-8, validated: all values at once, and one by one only where that fails."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def decode(values: pa.BinaryArray) -> tuple[pa.StringArray, dict[int, str]]:
    """Texts, and row -> what is wrong with it; U+FFFD stands for each sequence that is none."""
    if whole(values):
        return pa.Array.from_buffers(pa.string(), len(values), [None, *values.buffers()[1:]], null_count=0, offset=values.offset), {}
    faults: dict[int, str] = {}
    texts = []
    for row, value in enumerate(values.to_pylist()):
        try:
            texts.append(value.decode("utf-8"))
        except UnicodeDecodeError as error:
            texts.append(value.decode("utf-8", "replace"))
            faults[row] = f"not utf-8: {error.reason} at byte {error.start + 1} of the value"
    return pa.array(texts, pa.string()), faults


def whole(values: pa.BinaryArray) -> bool:
    """Whether each value by itself is UTF-8: their bytes together are, and none begins inside a character."""
    if len(values) == 0:
        return True
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = values.buffers()[2]
    if offsets[0] == offsets[-1] or data is None:
        return True
    edges = pa.py_buffer(np.array([offsets[0], offsets[-1]], np.int32))
    try:
        pa.Array.from_buffers(pa.binary(), 1, [None, edges, data]).cast(pa.string())
    except pa.ArrowInvalid:
        return False
    starts = np.frombuffer(data, np.uint8)[np.minimum(offsets[:-1], offsets[-1] - 1)]
    return not bool((starts[offsets[:-1] < offsets[1:]] & 0xC0 == 0x80).any())


def wrong(values: pa.BinaryArray) -> npt.NDArray[np.int32]:
    """The rows whose value is no UTF-8."""
    if whole(values):
        return np.zeros(0, np.int32)
    text = pa.StringArray.from_buffers(len(values), values.buffers()[1], values.buffers()[2], offset=values.offset)
    beyond = np.flatnonzero(~np.asarray(pc.string_is_ascii(text)))
    found = beyond[[not valid(value) for value in values.take(pa.array(beyond)).to_pylist()]]
    return found.astype(np.int32)


def surely_not(values: pa.BinaryArray) -> npt.NDArray[np.bool_]:
    """Which values two bytes that stand together show to be no UTF-8. Nearly all of other sets are found; for those that are not, ask `valid`."""
    found = np.zeros(len(values), np.bool_)
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    if not len(data):
        return found
    begins, beyond = data >= 0xC0, data >= 0x80
    goes_on = beyond & ~begins
    wrong = np.append(begins[:-1] & ~goes_on[1:], begins[-1])  # the beginning of a character that does not go on
    wrong[1:] |= goes_on[1:] & ~beyond[:-1]  # a character that goes on without having begun
    wrong[0] |= goes_on[0]
    found[np.searchsorted(offsets[1:] - offsets[0], np.flatnonzero(wrong), side="right")] = True
    return found


def valid(value: bytes) -> bool:
    """Whether one value is UTF-8."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
