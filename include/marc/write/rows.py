"""What all writers share: each row of a batch between the marks of its format, put together for all rows at once.

The marks of a row depend on few things (its tag, indicators and code; whether it begins or ends a field), so a writer says them once for each
combination that occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Batch, Bools, Ints
from include.marc.charsets import NAMES, encode


class Row(NamedTuple):
    """What the marks of a row depend on. `indicators` is empty for leader and control field, `code` for these and a data field without subfields.

    `begins`: the first row of its field; `ends`: its last; `ends_record`: the last of the record. `leader`: it is the record's leader; a tag says
    nothing of that, for some systems have a field LDR.
    """

    tag: str
    indicators: str
    code: str
    begins: bool
    ends: bool
    ends_record: bool
    leader: bool


@dataclass
class Written:
    """What was written: how many records; and what could not be written as it is, as (number of the record, reason, detail)."""

    records: int = 0
    problems: list[tuple[int, str, str | None]] = field(default_factory=list)

    def tell(self, batch: Batch, records: Iterable[int], reason: str, detail: str | None = None) -> None:
        """A problem of these records of the batch, once for each."""
        self.problems += [(int(batch.number[record]), reason, detail) for record in dict.fromkeys(records)]


def ends_of_fields(batch: Batch) -> tuple[Bools, Bools]:
    """Which rows are the last of their field, and of their record."""
    ends_record = np.zeros(batch.rows, np.bool_)
    ends_record[batch.first[1:] - 1] = True
    ends = ends_record.copy()
    ends[:-1] |= batch.seq[1:] != batch.seq[:-1]
    return ends, ends_record


def dressed(batch: Batch, value: pa.BinaryArray, before: Callable[[Row], bytes], after: Callable[[Row], bytes]) -> pa.BinaryArray:
    """Each row's value between what `before` and `after` say for it."""
    if batch.rows == 0:
        return pa.array([], pa.binary())
    ends, ends_record = ends_of_fields(batch)
    begins = np.append(True, ends[:-1])
    leads = np.zeros(batch.rows, np.bool_)
    leads[batch.first[:-1]] = True
    key = batch.tag.astype(np.uint64) << np.uint64(40) | batch.ind1.astype(np.uint64) << np.uint64(32)
    key |= batch.ind2.astype(np.uint64) << np.uint64(24) | batch.code.astype(np.uint64) << np.uint64(8)
    for place, which in enumerate((ends_record, ends, begins, leads)):
        key |= which.astype(np.uint64) << np.uint64(place)
    met = pa.array(key).dictionary_encode()
    rows = [_row(one, batch.tags.names) for one in met.dictionary.to_pylist()]
    heads = pa.array([before(one) for one in rows], pa.binary()).take(met.indices)
    tails = pa.array([after(one) for one in rows], pa.binary()).take(met.indices)
    return pc.binary_join_element_wise(heads, value, tails, b"")


def _row(key: int, names: list[str]) -> Row:
    ind1, ind2, code = key >> 32 & 0xFF, key >> 24 & 0xFF, key >> 8 & 0xFFFF
    indicators = chr(ind1) + chr(ind2) if ind1 else ""
    return Row(names[key >> 40], indicators, chr(code) if code else "", bool(key & 4), bool(key & 2), bool(key & 1), bool(key & 8))


def data_of(values: pa.Array) -> tuple[Ints, Ints]:
    """The bytes of all values, one behind the other, and where each begins, with the end as a last element."""
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def rows_with(values: pa.Array, wanted: Bools) -> Ints:
    """Rows with a byte for which `wanted[byte]`."""
    data, offsets = data_of(values)
    found = np.flatnonzero(wanted[data])
    return np.unique(np.searchsorted(offsets, found, side="right") - 1)


def patched(values: pa.Array, rows: Ints, texts: pa.Array) -> pa.Array:
    """The values with `texts` in these rows."""
    if not len(rows):
        return values
    mask = np.zeros(len(values), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(values, pa.array(mask), texts)


BEYOND_ASCII = np.arange(256) >= 0x80
AT_SIGN = np.arange(256) == ord("@")


def encoded(batch: Batch, charset: str, written: Written) -> pa.BinaryArray:
    """The values in `charset`, or each in the character set that its record was read in (`as_read`). What a set lacks is told."""
    values = batch.value.cast(pa.binary())
    names = [NAMES[number] for number in np.unique(batch.charset).tolist()] if charset == "as_read" else [charset]
    for name in names:
        if name == "utf-8":
            continue
        odd = rows_with(values, BEYOND_ASCII | AT_SIGN if name.startswith("danmarc2") else BEYOND_ASCII)
        if charset == "as_read":
            odd = odd[batch.charset[batch.rec[odd]] == NAMES.index(name)]
        found, lost = encode(batch.value.take(pa.array(odd)), name)
        values = patched(values, odd, found)
        written.tell(batch, batch.rec[odd[lost]].tolist(), "MARC_CHARACTER_LOST", name)
    return values
