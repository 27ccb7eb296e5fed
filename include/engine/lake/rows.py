"""Rows as hashes: one number for a row's content, and the comparison of a delivery with what the lake has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

Positions = npt.NDArray[np.int64]
_Pairs = tuple[Positions, Positions, npt.NDArray[np.bool_]]
_Words = npt.NDArray[np.uint64]
_SLICE_ROWS, _SLICE_BYTES = 131_072, 64 << 20
_MIX = np.uint64(0x94D049BB133111EB)


def row_hash(table: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> pa.Int64Array:
    """A 64-bit hash of `columns` for each row: equal for equal content, whatever the batches, the column order or the machine.

    Text is hashed with xxh3_64 over the row's texts together; numbers, dates and lengths are folded in with one odd multiplier a column
    (multilinear hashing). A null adds nothing, and a number counts by its value: so neither a new nullable column nor a widened type
    changes the hash of a row that is already in the lake. Raises TypeError for a nested type other than a list.
    """
    rows = table.num_rows
    step = max(1, min(_SLICE_ROWS, _SLICE_BYTES * rows // max(1, table.nbytes)))
    parts = [_slice_hash(table.slice(start, step), columns) for start in range(0, rows, step)]
    return pa.array(np.concatenate(parts) if parts else np.empty(0, np.int64), type=pa.int64())


def _slice_hash(table: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> npt.NDArray[np.int64]:
    total = np.zeros(table.num_rows, np.uint64)
    texts: list[pa.Array] = []
    for name in sorted(columns):
        array = _one_array(table.column(name))
        if pa.types.is_null(array.type):
            continue
        words, text = _words(array)
        folded = np.full(len(array), xxhash.xxh3_64_intdigest(name.encode()), np.uint64)  # a zero is not a null
        for number, word in enumerate(words, start=1):
            word *= np.uint64(xxhash.xxh3_64_intdigest(name.encode(), seed=number) | 1)
            folded += word
        if array.null_count:
            folded *= np.asarray(array.is_valid()).astype(np.uint64)
        total += folded
        if text is not None:
            texts.append(text)
    if texts:
        total ^= _text_hash(texts)
    total ^= total >> np.uint64(32)
    total *= _MIX
    total ^= total >> np.uint64(29)
    return total.view(np.int64)


def _one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _words(array: pa.Array) -> tuple[list[_Words], pa.Array | None]:
    """The column as 64-bit words a row (0 for null), and as binary where it is text: its word is then its length in bytes."""
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_as_words(pc.list_value_length(array))], _list_text(array)
    if _is_text(kind):
        return [_as_words(pc.binary_length(array))], array.cast(pa.large_binary())
    if pa.types.is_decimal(kind):
        wide = pc.fill_null(array.cast(pa.decimal128(38, kind.scale)), pa.scalar(0, pa.decimal128(38, kind.scale)))
        pair = np.frombuffer(wide.buffers()[1], np.uint64)[2 * wide.offset : 2 * (wide.offset + len(wide))].reshape(-1, 2)
        return [pair[:, 0].copy(), pair[:, 1].copy()], None
    if pa.types.is_floating(kind):
        values = pc.fill_null(array.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False) + 0.0  # + 0.0 makes one zero of two
        return [np.where(np.isnan(values), np.nan, values).view(np.uint64)], None
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_date(kind):
        if pa.types.is_timestamp(kind):
            array = array.cast(pa.timestamp("us", kind.tz))
        return [_as_words(array.view(pa.int32() if array.type.bit_width == 32 else pa.int64()))], None
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return [_as_words(array)], None
    raise TypeError(f"a column of type {kind} cannot be hashed")


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def _as_words(numbers: pa.Array) -> _Words:
    filled = pc.fill_null(numbers, False if pa.types.is_boolean(numbers.type) else 0)
    words: _Words = filled.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    return words


def _list_text(lists: pa.Array) -> pa.Array:
    """Each list as one binary: every element led by its length, so that no two lists read the same."""
    offsets = np.asarray(lists.offsets).astype(np.int64)
    values = lists.values.slice(offsets[0], offsets[-1] - offsets[0]).cast(pa.large_string())
    lengths = pc.fill_null(pc.binary_length(values).cast(pa.large_string()), "-")
    led = pc.binary_join_element_wise(lengths, pc.fill_null(values, ""), pa.scalar(":", pa.large_string()))
    rebuilt = pa.LargeListArray.from_arrays(pa.array(offsets - offsets[0], pa.int64()), led, mask=lists.is_null())
    return pc.binary_join(rebuilt, pa.scalar("", pa.large_string())).cast(pa.large_binary())


def _text_hash(texts: list[pa.Array]) -> _Words:
    # Not null_handling="skip": pyarrow then leaves out the rows whose texts are all null.
    joined = pc.binary_join_element_wise(*texts, pa.scalar(b"", pa.large_binary()), null_handling="replace", null_replacement="")
    _, offsets, data = joined.buffers()
    ends = np.frombuffer(offsets, np.int64)[joined.offset : joined.offset + len(joined) + 1].tolist()
    content = memoryview(data) if data is not None else memoryview(b"")
    digest = xxhash.xxh3_64_intdigest
    hashes = [digest(content[start:end]) for start, end in pairwise(ends)]
    return np.fromiter(hashes, np.uint64, count=len(hashes))


@dataclass(frozen=True)
class ChangeSet:
    """What an incoming set of rows means for the current one, by row position (0-based) in each.

    `added` and `changed` are positions in incoming; `replaced` the positions in current of the changed rows, in the same order;
    `missing` the positions in current that incoming does not name (a full export deletes them); `unchanged` is a count.
    """

    added: Positions
    changed: Positions
    replaced: Positions
    missing: Positions
    unchanged: int


def compare(current: pa.Table, incoming: pa.Table, keys: Sequence[str], engine: Any = None) -> ChangeSet:
    """Compare two sets of rows by `keys` and content; both have the key columns and `_row_hash`, keys unique and not null in each.

    One hash join in DuckDB (`engine`: a connection to use; by default one of its own), linear in the rows of both.
    """
    of_incoming, of_current, same = pairs(current, incoming, keys, engine)
    seen_incoming, seen_current = np.zeros(incoming.num_rows, bool), np.zeros(current.num_rows, bool)
    seen_incoming[of_incoming] = True
    seen_current[of_current] = True
    differs = ~same
    changed = of_incoming[differs]
    order = np.argsort(changed, kind="stable")
    return ChangeSet(
        added=np.flatnonzero(~seen_incoming),
        changed=changed[order],
        replaced=of_current[differs][order],
        missing=np.flatnonzero(~seen_current),
        unchanged=int(same.sum()),
    )


def pairs(current: pa.Table, incoming: pa.Table, keys: Sequence[str], engine: Any = None) -> _Pairs:
    """For each key in both sets: its position in incoming, in current, and whether the content is the same."""
    with session(engine) as connection:
        return _joined(connection, current, incoming, keys)


def _joined(connection: Any, current: pa.Table, incoming: pa.Table, keys: Sequence[str]) -> _Pairs:
    for name, side in (("current_rows", current), ("incoming_rows", incoming)):
        positioned = side.select([*keys, "_row_hash"]).append_column("_position", pa.array(np.arange(side.num_rows, dtype=np.int64)))
        connection.register(name, positioned)
    on = " AND ".join(f'i."{key}" = c."{key}"' for key in keys)
    query = f"SELECT i._position AS i, c._position AS c, i._row_hash = c._row_hash AS same FROM incoming_rows i JOIN current_rows c ON {on}"  # noqa: S608
    found = connection.execute(query).fetchnumpy()
    return (
        np.asarray(found["i"], np.int64),
        np.asarray(found["c"], np.int64),
        np.asarray(found["same"], bool),
    )


def repeated(rows: pa.Table, keys: Sequence[str]) -> int:
    """How many rows carry a key that an earlier row of `rows` has already."""
    if rows.num_rows < 2:
        return 0
    names = ", ".join(f'"{key}"' for key in keys)
    with session() as connection:
        connection.register("incoming_rows", rows.select(list(keys)))
        query = f"SELECT count(*) FROM (SELECT DISTINCT {names} FROM incoming_rows)"  # noqa: S608
        distinct = int(connection.execute(query).fetchone()[0])
    return int(rows.num_rows) - distinct


class KeysSeen:
    """Which keys of a stream of rows may have come twice: a hash is kept of each row, 8 bytes."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._hash = "hash(" + ", ".join(f'"{key}"' for key in keys) + ")"
        self._seen: list[npt.NDArray[np.uint64]] = []
        self._connection = session()

    def add(self, rows: pa.RecordBatch) -> None:
        """Take in the next rows."""
        self._seen.append(self._of(rows))

    def twice(self) -> npt.NDArray[np.uint64]:
        """The hashes that came more than once: equal keys, or very rarely two keys of one hash."""
        ordered = np.sort(np.concatenate(self._seen)) if self._seen else np.empty(0, np.uint64)
        return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])

    def among(self, rows: pa.RecordBatch, hashes: npt.NDArray[np.uint64]) -> pa.RecordBatch:
        """Those of `rows` whose key has one of these hashes."""
        return rows.filter(pa.array(np.isin(self._of(rows), hashes)))

    def _of(self, rows: pa.RecordBatch) -> npt.NDArray[np.uint64]:
        with self._connection.cursor() as connection:
            connection.register("incoming_rows", pa.table(rows))
            found = connection.execute(f"SELECT {self._hash} AS h FROM incoming_rows").fetchnumpy()["h"]  # noqa: S608
        return np.asarray(found, np.uint64)


def session(engine: Any = None) -> Any:
    """A context that gives a DuckDB connection: `engine`'s own cursor, or a new one in memory that loads no extension."""
    if engine is not None:
        return engine.cursor()
    import duckdb

    return duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
