"""MARCXML and MarcXchange (ISO 25577) into batches: the reader.

stretch of bytes -> tokens (tokens.py) -> where records are (spans.py) -> plain ones into rows (plain.py), others one by one (fragment.py)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from include.engine.errors import Refused
from include.marc.batch import ISSUES, Batch, Bools, Family, Ints, Outcome, Tags
from include.marc.build import Aside, Found, aside_table, build
from include.marc.errors import Unreadable
from include.marc.iso2709.directory import tag_index
from include.marc.iso2709.tags import TagNumbers, wanted
from include.marc.marcxml.dialect import Dialect
from include.marc.marcxml.encoding import HEAD, AsUtf8, Encoding, encoding_of
from include.marc.marcxml.fragment import parsed
from include.marc.marcxml.merge import merged
from include.marc.marcxml.plain import rows
from include.marc.marcxml.shards import boundary
from include.marc.marcxml.spans import Spans, spans
from include.marc.marcxml.tokens import Tokens, tokens
from include.marc.marcxml.window import Readable, Window

BLOCK = 4 << 20
LARGEST = 16 << 20  # what we read as one record at all


def scan(
    stream: BinaryIO,
    *,
    family: Family = "marc21",
    fields: Collection[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    block: int = BLOCK,
    where: str = "the file",
) -> Iterator[Batch]:
    """All records of `stream`, batch by batch; each is clean, repaired, or set aside, and nothing stops the reading.

    `fields`: only these (`245`, `6XX`). `start`, `stop`: bytes; the records that begin in that range (the stream must be seekable, and UTF-8).
    `block`: bytes read at a time, which bounds the memory used. `where` names the file in messages.
    Raises Refused: XML_DTD (a document type declaration, wherever it stands), CHARSET_REFUSED, XML_NO_RECORDS (in a whole file only).
    """
    reader = _Reader(family, None if fields is None else wanted(fields), where)
    source, begin, left = _source(stream, start, stop, reader, where)
    window = Window(source, block, left)
    offset, whole_file = begin, start == 0 and stop is None
    while not window.ended or window.end:
        window.more()
        batch, used = reader.stretch(window, offset)
        if batch is not None:
            yield batch
        offset += int(reader.encoding.widths(window.buffer[:used]).sum()) if not reader.encoding.is_utf8 else used
        window.drop(used)
    if whole_file and not reader.any_record:
        raise Refused("there is no record element in the file", where=where, code="XML_NO_RECORDS")


def _source(stream: BinaryIO, start: int, stop: int | None, reader: _Reader, where: str) -> tuple[Readable, int, int | None]:
    """The stream as UTF-8 from where reading begins; that place; how many bytes to read."""
    if start or stop is not None:
        stream.seek(0)
        reader.encoding = encoding_of(stream.read(HEAD), where)
        if not reader.encoding.is_utf8:
            raise ValueError("byte ranges are for UTF-8 only")
        first = boundary(stream, start) if start else reader.encoding.mark
        last = None if stop is None else boundary(stream, stop)
        stream.seek(first)
        return stream, first, None if last is None else max(last - first, 0)
    head = stream.read(HEAD)
    reader.encoding = encoding_of(head, where)
    rest = _Headed(head[reader.encoding.mark :], stream)
    return rest if reader.encoding.is_utf8 else AsUtf8(rest, reader.encoding), reader.encoding.mark, None


class _Headed:
    """Bytes already read, and then the stream."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        if self._head:
            found, self._head = self._head[:size], self._head[size:]
            return found
        return self._stream.read(size)

    def readinto(self, room: memoryview) -> int:
        """The same into `room`."""
        if self._head or not hasattr(self._stream, "readinto"):
            found = self.read(len(room))
            room[: len(found)] = found
            return len(found)
        return int(self._stream.readinto(room))


@dataclass
class _Reader:
    """What stays the same from stretch to stretch."""

    family: Family
    asked: Bools | None
    where: str

    def __post_init__(self) -> None:
        self.encoding = Encoding("utf-8", 0)
        self.tags = Tags()
        self.numbers = TagNumbers(self.tags)
        self.dialect = Dialect(wide_codes=self.family == "danmarc2")
        self.number = 1  # of the next piece
        self.any_record = False

    def stretch(self, window: Window, offset: int) -> tuple[Batch | None, int]:
        """A batch of the records that end in the window, and how many of its bytes they and what lies between them take."""
        found = tokens(window.buffer, window.end, self.dialect, last=window.ended, where=self.where)
        pieces = spans(window.buffer, window.end, found, self.dialect, last=window.ended)
        if pieces.used == 0 and window.end > LARGEST and not window.ended:
            found = tokens(window.buffer, window.end, self.dialect, last=True, where=self.where)
            pieces = spans(window.buffer, window.end, found, self.dialect, last=True, cut_short="RECORD_TOO_LONG")
        self.any_record |= pieces.any_record
        if not len(pieces.start):
            return None, pieces.used
        places = self._places(window, pieces, offset)
        numbers = np.arange(self.number, self.number + len(pieces.start))
        self.number += len(numbers)
        return self._batch(window, found, pieces, places, numbers), pieces.used

    def _places(self, window: Window, pieces: Spans, offset: int) -> tuple[Ints, Ints]:
        """Where each piece begins and ends in the file."""
        if self.encoding.is_utf8:
            return pieces.start + offset, pieces.stop + offset
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.encoding.widths(window.buffer[: window.end]))])
        return before[pieces.start] + offset, before[pieces.stop] + offset

    def _batch(self, window: Window, found: Tokens, pieces: Spans, places: tuple[Ints, Ints], numbers: Ints) -> Batch:
        plain = np.flatnonzero(pieces.plain)
        fast, odd = self._fast(window, found, pieces, plain, places, numbers)
        others = np.concatenate([np.flatnonzero(~pieces.plain), odd])
        if not len(others):
            return fast
        return merged(fast, self._slow(window, pieces, np.sort(others), places, numbers))

    def _fast(
        self, window: Window, found: Tokens, pieces: Spans, which: Ints, places: tuple[Ints, Ints], numbers: Ints
    ) -> tuple[Batch, Ints]:
        one = rows(window.buffer, window.end, found, pieces, which, self.dialect, self.asked, self.family == "danmarc2")
        if len(one.odd):  # once more without them: rare
            odd = which[one.odd]
            which = np.setdiff1d(which, odd)
            one = rows(window.buffer, window.end, found, pieces, which, self.dialect, self.asked, self.family == "danmarc2")
        else:
            odd = np.zeros(0, np.int64)
        at = one.places
        counts = np.bincount(at.rec, minlength=len(which))
        batch = Batch(
            tags=self.tags,
            rec=at.rec,
            tag=self.numbers.of(at.key),
            seq=at.seq,
            ind1=at.ind1,
            ind2=at.ind2,
            code=at.code,
            value=pa.StringArray.from_buffers(len(one.value), *one.value.buffers()[1:], None, 0, one.value.offset),
            first=np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)]),
            number=numbers[which],
            offset=places[0][which],
            length=places[1][which] - places[0][which],
            outcome=np.full(len(which), Outcome.CLEAN, np.uint8),
            charset=np.full(len(which), self.encoding.charset, np.uint8),
            issues=ISSUES.empty_table(),
            aside=aside_table([]),
        )
        return batch, odd

    def _slow(self, window: Window, pieces: Spans, which: Ints, places: tuple[Ints, Ints], numbers: Ints) -> Batch:
        found: list[Found] = []
        aside: list[Aside] = []
        for piece in which.tolist():
            raw = window.buffer[pieces.start[piece] : pieces.stop[piece]].tobytes()
            number, offset, length = int(numbers[piece]), int(places[0][piece]), int(places[1][piece] - places[0][piece])
            try:
                if pieces.fault[piece]:
                    raise Unreadable(pieces.fault[piece])
                record, issues = parsed(raw, self.family)
            except Unreadable as unreadable:
                aside.append(Aside(number, offset, self.encoding.original(raw), unreadable.reason, unreadable.detail))
            else:
                found.append(Found(record, number, offset, length, self.encoding.charset, tuple(issues)))
        batch = build(found, self.tags, aside)
        return batch if self.asked is None else self._only_asked(batch)

    def _only_asked(self, batch: Batch) -> Batch:
        assert self.asked is not None
        keys = np.array([int.from_bytes(name.encode("latin-1", "replace"), "little") for name in self.tags.names], np.uint32)
        asked = self.asked[tag_index(keys)]
        asked[0] = True
        keep = asked[batch.tag]
        counts = np.bincount(batch.rec[keep], minlength=len(batch))
        columns = {name: getattr(batch, name)[keep] for name in ("rec", "tag", "seq", "ind1", "ind2", "code")}
        first = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
        return replace(batch, **columns, value=batch.value.filter(pa.array(keep)), first=first)
