"""A stream of ISO 2709 bytes into the bytes of single records, so that a damaged one costs its neighbours nothing.

A record's own length is believed where the record terminator stands at its end. Where it does not, the record ends at its terminator, or, if
that is missing too, where the next leader begins. Nothing is skipped: bytes that belong to no record come out as a piece of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

END_OF_RECORD, END_OF_FIELD = 0x1D, 0x1E
LEADER = 24
LARGEST_ISO = 99_999  # what five digits can say (ISO 2709:2008, 4.3.1)
LARGEST = 16 << 20  # what we read as one record at all
CHUNK = 1 << 20
# A leader as every MARC family writes it: length, status and codes, two counts, base address, three codes, directory map 45xx.
PLAUSIBLE = re.compile(rb"[0-9]{5}[\x20-\x7e]{5}[0-9 ]{2}[0-9]{5}[\x20-\x7e]{3}45[0-9 ]{2}")
BETWEEN = b" \t\r\n\0\x1a"


@dataclass(frozen=True)
class Piece:
    """Bytes from `offset`. `repairs` are reason codes of what was wrong and could be helped; `fault` is why it is no record at all."""

    offset: int
    raw: bytes
    repairs: tuple[str, ...] = ()
    fault: str = ""


class _Window:
    """The stretch of the stream that is being looked at: `data` begins at byte `offset` of the stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.data, self.offset, self.ended = stream, b"", 0, False

    def want(self, size: int) -> bool:
        """Read until `size` bytes are there; False at the end of the stream."""
        parts, have = [self.data], len(self.data)
        while have < size and not self.ended:
            part = self.stream.read(max(CHUNK, size - have))
            self.ended = not part
            parts.append(part)
            have += len(part)
        if len(parts) > 1:
            self.data = b"".join(parts)
        return have >= size

    def drop(self, size: int) -> bytes:
        """Take `size` bytes off the front."""
        taken, self.data = self.data[:size], self.data[size:]
        self.offset += size
        return taken


def pieces(stream: BinaryIO) -> Iterator[Piece]:
    """Every record, and whatever else there is, in order. Line ends, blanks, NULs and Ctrl-Z between records are passed over."""
    window, at = _Window(stream), 0
    while True:
        if len(window.data) - at < LARGEST_ISO and not window.ended:
            window.drop(at)
            at = 0
            window.want(4 * CHUNK)
        while at < len(window.data) and window.data[at] in BETWEEN:
            at += 1
        if window.data[max(at - 5, 0) : at] == b" " * 5 and _is_leader(window.data[at - 5 : at - 5 + LEADER]):
            at -= 5  # the length itself is blank
        if window.offset + at == 0 and window.data[:3] == b"\xef\xbb\xbf":
            at = 3
        if at >= len(window.data):
            if window.ended:
                return
            continue
        size, repairs, fault = _clean(window.data, at) or _found(window, at)
        yield Piece(window.offset + at, window.data[at : at + size], repairs, fault)
        at += size


Cut = tuple[int, tuple[str, ...], str]


def _clean(data: bytes, at: int) -> Cut | None:
    """A record whose length is right: nearly all of them."""
    digits = data[at : at + 5]
    if not digits.isdigit():
        return None
    size = int(digits)
    if size <= LEADER or at + size > len(data) or data[at + size - 1] != END_OF_RECORD:
        return None
    inside = data.find(b"\x1d", at, at + size - 1)
    if inside >= 0 and PLAUSIBLE.match(data, inside + 1):
        return None
    return size, (), ""


def _found(window: _Window, at: int) -> Cut:
    """Where the piece at `at` ends, by what the bytes show; reads on as far as it must."""
    end = window.data.find(b"\x1d", at)
    while end < 0 and len(window.data) - at <= LARGEST and window.want(len(window.data) + CHUNK):
        end = window.data.find(b"\x1d", at)
    data = window.data
    stop = len(data) if end < 0 else end + 1
    if not PLAUSIBLE.match(data, at) and not data[at : at + 5].isdigit():
        next_leader = PLAUSIBLE.search(data, at + 1, stop)
        if next_leader and not _is_leader(data[at : at + LEADER]):
            return next_leader.start() - at, (), "MARC_NOT_A_RECORD"
        if not _is_leader(data[at : at + LEADER]):
            return stop - at, (), "MARC_NOT_A_RECORD"
    following = next(
        (match.start() for match in PLAUSIBLE.finditer(data, at + LEADER, stop) if data[match.start() - 1] in (END_OF_FIELD, 10)), 0
    )
    if following:
        return following - at, ("MARC_TERMINATOR_MISSING",), ""
    size = stop - at
    if end < 0:
        stated = data[at : at + 5]
        whole = stated.isdigit() and int(stated) - 1 == len(data[at:].rstrip(BETWEEN)) and data[at:].rstrip(BETWEEN)[-1] == END_OF_FIELD
        return (size, ("MARC_TERMINATOR_MISSING",), "") if whole else (size, (), "RECORD_TOO_LONG" if size > LARGEST else "MARC_TRUNCATED")
    return size, ("MARC_OVERSIZE" if size > LARGEST_ISO else "MARC_LENGTH_WRONG",), ""


def _is_leader(data: bytes) -> bool:
    """Whether these bytes can be a leader whose length is damaged: the base address is a number, or the directory map is right."""
    return len(data) == LEADER and (data[12:17].isdigit() or data[20:22] == b"45")
