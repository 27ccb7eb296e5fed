"""One export as an index: for each record its key, a digest of its bytes, and where it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Batch, Ints
from include.marc.iso2709 import engine

#: Where a record says its own number and whose number that is: 001 and 003, danMARC2's 001 *a and *b.
FIELDS = ("001", "003")
BETWEEN = "\x1f"


@dataclass(frozen=True)
class Index:
    """Arrays with an element for each record, in the order of the file.

    `key` uint64, a digest of agency and control number, or, of a record without, of its bytes; `digest` uint64, of its bytes; `member` uint16, which
    file of the export; `number` int32, `offset` int64, `length` int32. `aside`: records that could not be read,
    and have no place here. `text` gives keys in words.
    """

    key: Ints
    digest: Ints
    member: Ints
    number: Ints
    offset: Ints
    length: Ints
    text: pa.ChunkedArray
    aside: int


#: An index is all that a comparison holds of each record, so its numbers are as small as they can be.
_KINDS: dict[str, type[np.generic]] = {
    "key": np.uint64,
    "digest": np.uint64,
    "member": np.uint16,
    "number": np.int32,
    "offset": np.int64,
    "length": np.int32,
}


class _Column:
    """An array that grows at its end, where it stands if there is room."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._array: Ints = np.empty(1 << 16, kind)
        self._count = 0

    def add(self, part: Ints) -> None:
        end = self._count + len(part)
        if end > len(self._array):
            self._array.resize(max(end, len(self._array) * 9 // 8), refcheck=False)
        self._array[self._count : end] = part
        self._count = end

    def whole(self) -> Ints:
        self._array.resize(self._count, refcheck=False)
        return self._array


def index(members: Iterable[Iterable[Batch]]) -> Index:
    """The index of an export's batches, read with `fields=FIELDS` (or all fields) and `digest=True`."""
    columns = {name: _Column(kind) for name, kind in _KINDS.items()}
    texts: list[pa.StringArray] = []
    aside = 0
    for member, batches in enumerate(members):
        for batch in batches:
            assert batch.digest is not None
            text = keys(batch)
            key = np.where(np.asarray(pc.equal(text, BETWEEN)), batch.digest, _digests(text))
            of_member = np.full(len(batch), member)
            parts = (key, batch.digest, of_member, batch.number, batch.offset, batch.length)
            for column, part in zip(columns.values(), parts, strict=True):
                column.add(part)
            texts.append(text)
            aside += batch.aside.num_rows
    return Index(**{name: column.whole() for name, column in columns.items()}, text=pa.chunked_array(texts, pa.string()), aside=aside)


def keys(batch: Batch) -> pa.StringArray:
    """Agency and control number of each record, with BETWEEN between them; BETWEEN alone where it has neither."""
    agency = pc.coalesce(batch.first_value("003"), batch.first_value("001", "b"), pa.scalar(""))
    number = pc.fill_null(batch.control_numbers, "")
    return pc.binary_join_element_wise(pc.utf8_trim_whitespace(agency), pc.utf8_trim_whitespace(number), BETWEEN)


def _digests(texts: pa.StringArray) -> Ints:
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return engine.digests(data, offsets[:-1], np.diff(offsets))
