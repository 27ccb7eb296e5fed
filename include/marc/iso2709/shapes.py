"""What the two stages of reading hand on: fields, found by the directory, then rows, found by the delimiters.

Both stages are written twice: with NumPy (directory.py, subfields.py) and in C (kernel.c). They give the same; the tests hold them to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from include.marc.batch import Bools, Ints

#: Bits of Rows.flags: the value has a byte above 127; it has a control character (below 32; not TAB, LF, CR); it has a `@`; its code is no printable ASCII.
HIGH, CONTROL, AT, ODD_CODE = 1, 2, 4, 8


@dataclass(frozen=True)
class Spans:
    """The stretches of a block between record terminators: `start` and `stop` int32, and whether each is a clean record."""

    start: Ints
    stop: Ints
    clean: Bools


@dataclass(frozen=True)
class Fields:
    """The fields of a block's records in their order; the first of each record (`seq` 0) is its leader.

    `rec` int32 index of the record; `key` uint32, the three bytes of the tag, first byte lowest (a leader's is 0); `seq` int32; `start` int32, first
    byte of the field's data; `end` int32, the place of its terminator (leader: the byte behind it); `plain` bool: a leader or control field.
    """

    rec: Ints
    key: Ints
    seq: Ints
    start: Ints
    end: Ints
    plain: Bools


@dataclass(frozen=True)
class Rows:
    """The rows of all fields: `field` int32 index in Fields, with its `rec` int32, `tag` int16 (number in Tags) and `seq` int32; `ind1`, `ind2` uint8;
    `code` uint16; the value is [`start`, `end`); `flags` uint8.

    `empty` int32: the field of each delimiter with nothing behind it; such a delimiter makes no row.
    """

    field: Ints
    rec: Ints
    tag: Ints
    seq: Ints
    ind1: Ints
    ind2: Ints
    code: Ints
    start: Ints
    end: Ints
    flags: Ints
    empty: Ints


#: The columns of Rows with an element for each row.
ROWS: dict[str, type[np.generic]] = {
    "field": np.int32,
    "rec": np.int32,
    "tag": np.int16,
    "seq": np.int32,
    "ind1": np.uint8,
    "ind2": np.uint8,
    "code": np.uint16,
    "start": np.int32,
    "end": np.int32,
    "flags": np.uint8,
}
