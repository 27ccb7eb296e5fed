"""From a block of bytes to its fields, by leaders and directories, with NumPy: some fifty array operations for thousands of records.

A record is clean if its leader, its directory and its bytes agree in every particular; the others are left to repair.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from include.marc.batch import LEADER_LENGTH, Bools, Ints
from include.marc.iso2709.blocks import DELIMITER, END_OF_FIELD, END_OF_RECORD
from include.marc.iso2709.pieces import BETWEEN
from include.marc.iso2709.shapes import Fields, Spans

ENTRY = 12
STEP = 1 << 20
#: What a clean leader, tag and indicator may hold.
PRINTABLE = np.zeros(256, np.bool_)
PRINTABLE[32:127] = True
ALPHANUMERIC = np.zeros(256, np.bool_)
ALPHANUMERIC[[byte for byte in range(128) if chr(byte).isalnum()]] = True
IS_BETWEEN = np.zeros(256, np.bool_)
IS_BETWEEN[list(BETWEEN)] = True
DIGITS = np.uint64(0x3030303030303030)


def spans(buffer: Ints, end: int) -> tuple[Ints, Ints]:
    """Start and stop of each stretch that ends with a record terminator, without the blanks and line ends before it."""
    stop = places(buffer[:end], END_OF_RECORD) + np.int32(1)
    start = np.zeros(len(stop), np.int32)
    start[1:] = stop[:-1]
    while (between := IS_BETWEEN[buffer[start]] & (start < stop)).any():
        start += between
    return start, stop


def places(data: Ints, byte: int) -> Ints:
    """Where `byte` stands, as int32, looked for in steps that fit into the processor's cache."""
    found = [np.flatnonzero(data[at : at + STEP] == byte) + at for at in range(0, len(data), STEP)]
    return np.concatenate(found).astype(np.int32) if found else np.zeros(0, np.int32)


def fields(buffer: Ints, end: int, *, subfields_below_010: bool, wanted: Bools | None = None) -> tuple[Spans, Fields]:
    """The block's spans, and the fields of those that are clean. `Fields.rec` numbers the spans, not only the clean ones.

    `buffer` has SPARE bytes behind `end`. `wanted` says by `tag_index` which tags' fields to follow; the others are neither looked at nor given.
    """
    start, stop = spans(buffer, end)
    leader = np.lib.stride_tricks.sliding_window_view(buffer, LEADER_LENGTH)[start]
    length, length_is_number = digits(leader[:, 0:5])
    base, base_is_number = digits(leader[:, 12:17])
    count = (base - LEADER_LENGTH - 1) // ENTRY
    clean = length_is_number & base_is_number & (length == stop - start) & (count > 0) & (base == LEADER_LENGTH + 1 + ENTRY * count)
    clean &= PRINTABLE[leader].all(axis=1) & (base < length)
    clean[clean] = buffer[(start + base - 1)[clean]] == END_OF_FIELD
    found, whole = _entries(buffer, start, stop, base, np.where(clean, count, -1), wanted)
    whole &= _heads(buffer, found, subfields_below_010)
    clean[found.rec[~whole]] = False
    kept = clean[found.rec]
    return Spans(start, stop, clean), found if kept.all() else _only(found, kept)


def _entries(buffer: Ints, start: Ints, stop: Ints, base: Ints, count: Ints, wanted: Bools | None) -> tuple[Fields, Bools]:
    """A field for each directory entry of the records that have a `count` of them (-1: none, and no leader), and whether its record may be clean."""
    every = count + 1  # with the leader
    rec = np.repeat(np.arange(len(start), dtype=np.int32), every)
    seq = np.arange(len(rec), dtype=np.int32) - np.repeat(np.cumsum(every) - every, every).astype(np.int32)
    entry = start[rec] + np.int32(LEADER_LENGTH - ENTRY) + np.int32(ENTRY) * seq
    is_leader = seq == 0
    word, key = words(buffer, "<u8")[entry], np.zeros(len(rec), np.uint32)
    key[:] = word & np.uint64(0xFFFFFF)
    low, last_eight = eight_digits(words(buffer, "<u8")[entry + 4])
    high = ((word >> np.uint64(24)) & np.uint64(0xFF)).astype(np.int64) - 48
    size, place = high * 1_000 + low // 100_000, low % 100_000
    whole = last_eight & (high >= 0) & (high <= 9) & _are_tags(key)
    # Each field begins where the one before it ends, and the last ends before the record terminator.
    data, size[is_leader], place[is_leader], whole[is_leader] = base.astype(np.int64)[rec], 0, 0, True
    is_last = np.ones(len(rec), np.bool_)
    is_last[:-1] = is_leader[1:]
    whole[:-1] &= is_last[:-1] | (place[1:] == place[:-1] + size[:-1])
    whole[is_last] &= (data + place + size)[is_last] == (stop - start)[rec[is_last]] - 1
    whole[~is_leader] &= size[~is_leader] >= 1
    begin = np.where(whole, start[rec] + data + place, 0).astype(np.int32)
    finish = np.where(whole, begin + size - 1, 0).astype(np.int32)
    whole &= is_leader | (buffer[finish] == END_OF_FIELD)
    begin[is_leader], finish[is_leader], key[is_leader] = start[rec[is_leader]], start[rec[is_leader]] + LEADER_LENGTH, 0
    found = Fields(rec, key, seq, begin, finish, is_leader)
    if wanted is None:
        return found, whole
    kept = is_leader | ~whole | wanted[tag_index(key)]
    return _only(found, kept), whole[kept]


def _heads(buffer: Ints, found: Fields, subfields_below_010: bool) -> Bools:
    """Whether each field begins as its kind should; marks control fields in `found.plain`."""
    size = found.end - found.start
    third = buffer[found.start + 2] == DELIMITER
    if subfields_below_010:
        control = found.plain
    else:
        control = found.plain | ((found.key & np.uint32(0xFFFF)) == 0x3030)  # 00X
        found.plain[:] = control
    data = (size >= 3) & third & PRINTABLE[buffer[found.start]] & PRINTABLE[buffer[found.start + 1]]
    divided = third & (size >= 3) & (found.seq > 0)
    good: Bools = np.where(control, ~divided, data)
    return good


def _only(found: Fields, kept: Bools) -> Fields:
    return Fields(*(getattr(found, name)[kept] for name in ("rec", "key", "seq", "start", "end", "plain")))


def _are_tags(key: Ints) -> Bools:
    three = [ALPHANUMERIC[(key >> np.uint32(shift)) & np.uint32(0xFF)] for shift in (0, 8, 16)]
    all_three: Bools = three[0] & three[1] & three[2]
    return all_three


def tag_index(key: Ints) -> Ints:
    """The tag's place in a table of 2**21: seven bits a character."""
    seven = np.uint32(0x7F)
    place: Ints = (key & seven) | ((key >> np.uint32(8)) & seven) << np.uint32(7) | ((key >> np.uint32(16)) & seven) << np.uint32(14)
    return place


def words(buffer: Ints, kind: str) -> npt.NDArray[Any]:
    """Every little-endian word of the buffer, whatever byte it begins at."""
    size = np.dtype(kind).itemsize
    return np.ndarray(len(buffer) - size + 1, kind, buffer, strides=(1,))


def digits(columns: Ints) -> tuple[Ints, Bools]:
    """Rows of ASCII digits as numbers, and which rows are all digits."""
    value, all_digits = np.zeros(len(columns), np.int32), np.ones(len(columns), np.bool_)
    for column in columns.T:
        digit = column - np.uint8(48)
        all_digits &= digit < 10
        value = value * np.int32(10) + digit
    return value, all_digits


def eight_digits(word: Ints) -> tuple[Ints, Bools]:
    """Eight ASCII digits in a little-endian word as a number, all at once: pairs, then fours, then the eight. And whether all are digits."""
    value = word - DIGITS
    all_digits = ((value | (value + np.uint64(0x7676767676767676))) & np.uint64(0x8080808080808080)) == 0
    value = (value * np.uint64(10) + (value >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    value = (value * np.uint64(100) + (value >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    value = (value * np.uint64(10_000) + (value >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return value.astype(np.int64), all_digits
