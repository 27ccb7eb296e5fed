"""A batch as one table with a row for every subfield, and back: nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import ASIDE, ISSUES, Batch, Ints, Outcome, Tags

#: `seq` is the field's number in its record; `ind1`, `ind2` and `code` are empty where a row has none. No column has nulls.
LONG: pa.Schema = pa.schema(
    [
        pa.field("record", pa.int64(), nullable=False),  # 1-based number in the file
        pa.field("control_number", pa.dictionary(pa.int32(), pa.string()), nullable=False),  # "" where the record has none
        pa.field("tag", pa.dictionary(pa.int16(), pa.string()), nullable=False),
        pa.field("seq", pa.int32(), nullable=False),
        pa.field("ind1", pa.dictionary(pa.uint8(), pa.string()), nullable=False),
        pa.field("ind2", pa.dictionary(pa.uint8(), pa.string()), nullable=False),
        pa.field("code", pa.dictionary(pa.uint8(), pa.string()), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)
ASCII = pa.array(["", *map(chr, range(1, 128))], pa.string())


def long(batch: Batch) -> pa.Table:
    """The batch's rows as a table of schema LONG. Cheap: only the control numbers are looked for, all else is the batch's own arrays."""

    def coded(numbers: Ints, words: pa.Array) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(numbers), words, safe=False)

    columns = [
        pa.array(np.repeat(batch.number, np.diff(batch.first))),
        coded(batch.rec, batch.control_numbers.fill_null("")),
        coded(batch.tag, pa.array(batch.tags.names, pa.string())),
        pa.array(batch.seq),
        coded(batch.ind1, ASCII),
        coded(batch.ind2, ASCII),
        _codes(batch.code),
        batch.value,
    ]
    return pa.Table.from_arrays(columns, schema=LONG)


def _codes(code: Ints) -> pa.Array:
    """Subfield codes as words. Nearly always ASCII; others (danMARC2's ø) are added behind, or, in place of ASCII, if they are many."""
    narrow = code.astype(np.uint8)
    if len(code) == 0 or code.max() < 128:
        return pa.DictionaryArray.from_arrays(pa.array(narrow), ASCII, safe=False)
    met, place = np.unique(code, return_inverse=True)
    words = pa.array([chr(one) if one else "" for one in met.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.uint8)), words, safe=len(met) > 256)


def from_long(table: pa.Table, tags: Tags | None = None) -> Batch:
    """The batch of a LONG table (as read from Parquet: plain strings will do), with rows in their order. Offsets and character sets are not in it."""
    tags = tags or Tags()
    record = np.asarray(table.column("record"))
    fresh = np.ones(len(record), np.bool_)
    fresh[1:] = record[1:] != record[:-1]
    first = np.flatnonzero(fresh).astype(np.int32)
    count = len(first)
    value = table.column("value").combine_chunks()
    return Batch(
        tags=tags,
        rec=(np.cumsum(fresh) - 1).astype(np.int32),
        tag=_numbers(table.column("tag"), lambda words: [tags.number(word) for word in words]).astype(np.int16),
        seq=np.asarray(table.column("seq")).astype(np.int32),
        ind1=_numbers(table.column("ind1"), _ordinals).astype(np.uint8),
        ind2=_numbers(table.column("ind2"), _ordinals).astype(np.uint8),
        code=_numbers(table.column("code"), _ordinals).astype(np.uint16),
        value=value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value,
        first=np.append(first, np.int32(len(record))).astype(np.int32),
        number=record[first].astype(np.int64),
        offset=np.zeros(count, np.int64),
        length=np.zeros(count, np.int64),
        outcome=np.full(count, Outcome.CLEAN, np.uint8),
        charset=np.zeros(count, np.uint8),
        issues=ISSUES.empty_table(),
        aside=ASIDE.empty_table(),
    )


def _ordinals(words: list[str]) -> list[int]:
    return [ord(word) if word else 0 for word in words]


def _numbers(column: pa.ChunkedArray, number: Callable[[list[str]], list[int]]) -> Ints:
    """Words as the numbers that `number` gives them, each asked for once."""
    coded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    coded = coded.unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0) if coded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    numbers = np.array(number(coded.dictionary.to_pylist()), np.int64)
    return numbers[np.asarray(coded.indices)] if len(coded) else np.zeros(0, np.int64)
