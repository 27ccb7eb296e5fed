"""From fields to rows, with NumPy: every delimiter of the block is found in one pass and given to the field in which it stands."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Bools, Ints
from include.marc.iso2709.blocks import DELIMITER
from include.marc.iso2709.shapes import AT, CONTROL, HIGH, ODD_CODE, ROWS, Fields, Rows

STEP = 1 << 20
#: Bytes below 32 that text may hold: TAB, LF, CR.
TEXT = np.zeros(256, np.bool_)
TEXT[[9, 10, 13]] = True


def rows(area: Ints, fields: Fields, tag: Ints, look: Bools) -> Rows:
    """The rows of `fields`, whose data lie in `area`, in ascending order and without overlap. `tag`: the number of each field's tag.

    `look` (per record) says for which records the flags HIGH and AT are asked; for others they may be left out. CONTROL is found for all.
    """
    low = _below_32(area)
    is_delimiter = area[low] == DELIMITER
    delimiters = low[is_delimiter]
    before = np.zeros(len(low) + 1, np.int32)  # delimiters before each low byte
    np.cumsum(is_delimiter, out=before[1:])
    from_low, to_low = np.searchsorted(low, fields.start), np.searchsorted(low, fields.end)
    first = before[from_low]
    inside = before[to_low] - first
    count = np.where(fields.plain, 0, inside).astype(np.int32)
    # A plain field is one row; so is what a data field has between its indicators and its first delimiter, and a data field without any.
    alone = fields.plain | (count == 0)
    head_end = np.where(alone, fields.end, delimiters[np.minimum(first, max(len(delimiters) - 1, 0))] if len(delimiters) else fields.end)
    head_start = fields.start + np.where(fields.plain, 0, 2).astype(np.int32)
    has_head = alone | (head_end > head_start)
    every = count + has_head
    field = np.repeat(np.arange(len(every), dtype=np.int32), every)
    nth = np.arange(len(field), dtype=np.int32) - np.repeat((np.cumsum(every) - every).astype(np.int32), every)
    is_head = has_head[field] & (nth == 0)
    which = first[field] + nth - has_head[field]
    sub = np.flatnonzero(~is_head)
    start, end, code = head_start[field], head_end[field].astype(np.int32), np.zeros(len(field), np.uint16)
    at = delimiters[which[sub]]
    is_last = nth[sub] == every[field[sub]] - 1
    following = delimiters[np.minimum(which[sub] + 1, len(delimiters) - 1)] if len(delimiters) else at
    start[sub], end[sub] = at + 2, np.where(is_last, fields.end[field[sub]], following)
    code[sub] = area[at + 1]
    flags = np.zeros(len(field), np.uint8)
    _odd_codes(area, sub, start, end, code, flags)
    empty = start > end
    plain = fields.plain[field]
    ind1 = np.where(plain, 0, area[fields.start[field]]).astype(np.uint8)
    ind2 = np.where(plain, 0, area[fields.start[field] + 1]).astype(np.uint8)
    result = Rows(field, fields.rec[field], tag[field], fields.seq[field], ind1, ind2, code, start, end, flags, field[empty])
    if empty.any():
        result = Rows(**{name: getattr(result, name)[~empty] for name in ROWS}, empty=result.empty)
    if (others := to_low - from_low - count).any():
        suspects = _stretches(low, from_low[others > 0], to_low[others > 0])
        _look_for_controls(area, suspects, result)
    _look_closer(area, result, look[result.rec])
    return result


def _below_32(area: Ints) -> Ints:
    found = [np.flatnonzero(area[at : at + STEP] < 32) + at for at in range(0, len(area), STEP)]
    return np.concatenate(found).astype(np.int32) if found else np.zeros(0, np.int32)


def _odd_codes(area: Ints, sub: Ints, start: Ints, end: Ints, code: Ints, flags: Ints) -> None:
    """Flag codes of the subfields `sub` that are no printable ASCII.

    One above 127 is Latin-1, or, where it can be, two or three bytes of UTF-8: danMARC2's ø.
    """
    odd = sub[((code[sub] < 33) & (start[sub] <= end[sub])) | (code[sub] > 126)]
    if not len(odd):
        return
    flags[odd] |= ODD_CODE
    first, room = code[odd], end[odd] - start[odd]
    second, third = (area[np.minimum(start[odd] + ahead, len(area) - 1)].astype(np.uint16) for ahead in (0, 1))
    goes_on, goes_on_twice = (second & 0xC0) == 0x80, (third & 0xC0) == 0x80
    two = (first >= 0xC2) & (first < 0xE0) & goes_on & (room >= 1)
    three = ((first & 0xF0) == 0xE0) & goes_on & goes_on_twice & (room >= 2)
    wide = np.where(two, (first & 0x1F) << 6 | (second & 0x3F), (first & 0xF) << 12 | (second & 0x3F) << 6 | (third & 0x3F))
    valid = two | (three & (wide >= 0x800) & ((wide < 0xD800) | (wide > 0xDFFF)))
    code[odd] = np.where(valid, wide, first)
    start[odd] += np.where(valid, np.where(two, 1, 2), 0).astype(np.int32)


def _stretches(values: Ints, start: Ints, stop: Ints) -> Ints:
    """values[start[0]:stop[0]], values[start[1]:stop[1]] and so on, one behind the other."""
    count = stop - start
    found: Ints = values[np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())]
    return found


def _look_for_controls(area: Ints, suspects: Ints, found: Rows) -> None:
    """Flag rows whose value has a byte below 32 that no text has. Rows are in the order of their places, so each such byte finds its row."""
    suspects = suspects[~TEXT[area[suspects]]]
    row = np.searchsorted(found.start, suspects, side="right") - 1
    inside = (row >= 0) & (suspects < found.end[np.maximum(row, 0)])
    found.flags[row[inside]] |= CONTROL


def _look_closer(area: Ints, found: Rows, asked: Bools) -> None:
    """Flag values with bytes above 127 and with `@`, in the rows that are asked for."""
    rows = np.flatnonzero(asked)
    if not len(rows):
        return
    values = cut(area, found.start[rows], found.end[rows])
    text = pa.StringArray.from_buffers(len(values), values.buffers()[1], values.buffers()[2])
    found.flags[rows[~np.asarray(pc.string_is_ascii(text))]] |= HIGH
    found.flags[rows[np.asarray(pc.match_substring(text, "@"))]] |= AT


def cut(area: Ints, start: Ints, end: Ints) -> pa.BinaryArray:
    """The values [start, end) as one array: wanted stretches and those between alternate as one Arrow array, of which every second is taken.

    Where rows are not in the order of their places, a stretch between runs backwards; it is not looked at.
    """
    offsets = np.empty(2 * len(start) + 1, np.int32)
    offsets[0:-1:2], offsets[1::2], offsets[-1] = start, end, len(area)
    stretches = pa.Array.from_buffers(pa.binary(), 2 * len(start), [None, pa.py_buffer(offsets), pa.py_buffer(area)])
    return stretches.take(pa.array(np.arange(0, 2 * len(start), 2, dtype=np.int32)))
