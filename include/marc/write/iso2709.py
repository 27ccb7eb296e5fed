"""Batches as ISO 2709. A clean record whose directory is in the order of its fields, written in the character set it was read in, has the same bytes.

Source: ISO 2709:2008; MARC 21 Specifications for Record Structure. Limits of the format: 9,999 bytes a field, 99,999 a record. What is longer is
written all the same, told of, and read again by readers that follow the terminators: a field's length is then 9999, a record's 99999,
and places start over at 0 behind 99999.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from include.marc.batch import LEADER_LENGTH, Batch, Family, Ints
from include.marc.charsets import NAMES, encode
from include.marc.write.rows import Row, Written, data_of, dressed, encoded, ends_of_fields, patched, rows_with

DELIMITERS = (np.arange(256) >= 0x1D) & (np.arange(256) <= 0x1F)
LONGEST_FIELD, LONGEST_RECORD = 9_999, 99_999
ENTRY = 12


def write(batches: Iterable[Batch], out: BinaryIO, *, charset: str = "utf-8", family: Family = "marc21") -> Written:
    """Write all records, each in `charset`; `as_read` leaves each in its own. MARC 21's leader/09 is set to what is written.

    Told as problems: MARC_CHARACTER_LOST, MARC_FIELD_TOO_LONG, MARC_RECORD_TOO_LONG.
    """
    written = Written()
    for batch in batches:
        if len(batch):
            out.write(memoryview(records(batch, written, charset=charset, family=family)))
            written.records += len(batch)
    return written


def records(batch: Batch, written: Written, *, charset: str = "utf-8", family: Family = "marc21") -> pa.Buffer:
    """The bytes of the batch's records, one behind the other."""
    values = _without_delimiters(batch, encoded(batch, charset, written), written)
    code_set = "utf-8" if charset == "as_read" else charset

    def before(row: Row) -> bytes:
        code = encode(pa.array([row.code], pa.string()), code_set)[0][0].as_py() if row.code > "~" else row.code.encode()
        return (row.indicators.encode("latin-1") if row.begins else b"") + (b"\x1f" + code if row.code else b"")

    def after(row: Row) -> bytes:
        end = b"\x1e" if row.ends and not row.leader else b""
        return end + (b"\x1d" if row.ends_record else b"")

    nothing = pa.array([b""] * len(batch), pa.binary())
    rows = dressed(batch, patched(values, batch.first[:-1], nothing), before, after)
    heads = _heads(batch, rows, written, charset, family)
    return _interleaved(heads, rows, batch)


def _without_delimiters(batch: Batch, values: pa.BinaryArray, written: Written) -> pa.BinaryArray:
    """Delimiters inside a value would end it: blanks stand for them."""
    odd = rows_with(values, DELIMITERS)
    if not len(odd):
        return values
    written.tell(batch, batch.rec[odd].tolist(), "MARC_CHARACTER_LOST", "a delimiter inside a value")
    table = bytes.maketrans(b"\x1d\x1e\x1f", b"   ")
    texts = [text.translate(table) for text in values.take(pa.array(odd)).to_pylist()]
    return patched(values, odd, pa.array(texts, pa.binary()))


def _heads(batch: Batch, rows: pa.BinaryArray, written: Written, charset: str, family: Family) -> tuple[Ints, Ints]:
    """Leader, directory and its terminator of every record: the bytes, and where each record's begin, with the end as a last element."""
    _, offsets = data_of(rows)
    ends, _ = ends_of_fields(batch)
    ends[batch.first[:-1]] = False  # a leader is no field
    last = np.flatnonzero(ends)
    rec = batch.rec[last]
    data_start = offsets[batch.first[:-1]].astype(np.int64)
    stop = offsets[last + 1].astype(np.int64)
    stop[np.append(rec[1:] != rec[:-1], True)[: len(rec)]] -= 1  # the record's terminator is not the field's
    first_of_record = np.append(True, rec[1:] != rec[:-1])[: len(rec)]
    start = np.where(first_of_record, data_start[rec], np.append(0, stop[:-1])[: len(stop)])
    length, place = stop - start, start - data_start[rec]
    counts = np.bincount(rec, minlength=len(batch))
    base = LEADER_LENGTH + ENTRY * counts + 1
    size = base + offsets[batch.first[1:]] - data_start
    for long, reason in (
        (rec[length > LONGEST_FIELD], "MARC_FIELD_TOO_LONG"),
        (np.flatnonzero(size > LONGEST_RECORD), "MARC_RECORD_TOO_LONG"),
    ):
        written.tell(batch, long.tolist(), reason)
    tags = np.array([list(name.encode("latin-1", "replace")[:3].ljust(3, b"?")) for name in batch.tags.names], np.uint8)
    entries = np.concatenate([tags[batch.tag[last]], _digits(np.minimum(length, LONGEST_FIELD), 4), _digits(place % 100_000, 5)], axis=1)
    where = np.concatenate([np.zeros(1, np.int64), np.cumsum(base)])
    heads = np.full(where[-1], 0x1E, np.uint8)
    in_leader = where[:-1, None] + np.arange(LEADER_LENGTH)
    heads[in_leader] = _leaders(batch, size, base, charset, family)
    nth = np.arange(len(rec)) - (np.cumsum(counts) - counts)[rec]
    heads[(where[rec] + LEADER_LENGTH + ENTRY * nth)[:, None] + np.arange(ENTRY)] = entries
    return heads, where


def _leaders(batch: Batch, size: Ints, base: Ints, charset: str, family: Family) -> Ints:
    texts = [text.encode("ascii", "replace")[:LEADER_LENGTH].ljust(LEADER_LENGTH) for text in batch.leaders.to_pylist()]
    leaders = np.frombuffer(b"".join(texts), np.uint8).reshape(-1, LEADER_LENGTH).copy()
    leaders[:, :5] = _digits(np.minimum(size, LONGEST_RECORD), 5)
    leaders[:, 12:17] = _digits(np.minimum(base, LONGEST_RECORD), 5)
    leaders[:, 10:12] = ord("2")
    odd = (leaders[:, 20] != ord("4")) | (leaders[:, 21] != ord("5"))
    leaders[odd, 20:24] = np.frombuffer(b"4500", np.uint8)
    if family == "marc21":
        utf8 = batch.charset == NAMES.index("utf-8") if charset == "as_read" else np.full(len(batch), charset == "utf-8")
        leaders[utf8, 9] = ord("a")
        leaders[~utf8 & (leaders[:, 9] == ord("a")), 9] = ord(" ")
    return leaders


def _digits(numbers: Ints, count: int) -> Ints:
    powers = 10 ** np.arange(count - 1, -1, -1)
    found: Ints = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    return found


def _interleaved(heads: tuple[Ints, Ints], rows: pa.BinaryArray, batch: Batch) -> pa.Buffer:
    """Each record's head and its fields in turn."""
    data, offsets = data_of(rows)
    head, where = heads
    both = np.concatenate([head, data])
    edges = np.concatenate([where, offsets[batch.first[1:]] + where[-1]]).astype(np.int32)
    stretches = pa.Array.from_buffers(pa.binary(), len(edges) - 1, [None, pa.py_buffer(edges), pa.py_buffer(both)])
    count = len(batch)
    order = np.arange(2 * count).reshape(2, count).T.ravel()
    taken = stretches.take(pa.array(order))
    return taken.buffers()[2]
