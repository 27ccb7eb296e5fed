"""A stretch of bytes that is not all clean records into pieces: where each record in it begins and ends.

A record's own length is believed where the record terminator stands at its end. Where it does not, the record ends at its terminator, or, if
that is missing too, where the next leader begins. Nothing is skipped: bytes that belong to no record come out as a piece of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from include.marc.batch import LEADER_LENGTH

END_OF_FIELD = 0x1E
LARGEST_ISO = 99_999  # what five digits can say (ISO 2709:2008, 4.3.1)
LARGEST = 16 << 20  # what we read as one record at all
# A leader as every MARC family writes it: length, status and codes, two counts, base address, three codes, directory map 45xx.
PLAUSIBLE = re.compile(rb"[0-9]{5}[\x20-\x7e]{5}[0-9 ]{2}[0-9]{5}[\x20-\x7e]{3}45[0-9 ]{2}")
# The byte before one: the end of a line, or of a field, and then its length may be no number. (A byte to look for first, for `re` is fast at that.)
BEFORE_IN_LINE = re.compile(rb"\n(?=" + PLAUSIBLE.pattern + rb")")
BEFORE_IN_FIELD = re.compile(rb"\x1e(?=[\x20-\x7e]{10}[0-9 ]{2}[0-9]{5}[\x20-\x7e]{3}45[0-9 ]{2})")
BETWEEN = b" \t\r\n\0\x1a"
_PAST_BETWEEN = re.compile(rb"[ \t\r\n\0\x1a]*")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Piece:
    """The bytes from `start` to `stop`. `repairs` are reason codes of what was wrong and could be helped; `fault` is why it is no record at all."""

    start: int
    stop: int
    repairs: tuple[str, ...] = ()
    fault: str = ""


def pieces(data: bytes, *, top: bool = False) -> Iterator[Piece]:
    """Every record in `data`, and whatever else there is, in order. `top`: the file begins here, so a byte order mark may.

    Line ends, blanks, NULs and Ctrl-Z between records are passed over. Nothing comes behind `data`, neither terminator nor record.
    """
    at = len(BOM) if top and data.startswith(BOM) else 0
    while True:
        at = _begin(data, at)
        if at >= len(data):
            return
        stop, repairs, fault = _whole(data, at) or _found(data, at)
        yield Piece(at, stop, repairs, fault)
        at = stop


def _begin(data: bytes, at: int) -> int:
    """The next byte that is not between records; a leader whose length is blank begins with its blanks."""
    past = _PAST_BETWEEN.match(data, at)
    assert past is not None
    begin = past.end()
    if begin - at >= 5 and data[begin - 5 : begin] == b" " * 5 and _is_leader(data[begin - 5 : begin - 5 + LEADER_LENGTH]):
        return begin - 5
    return begin


Cut = tuple[int, tuple[str, ...], str]


def _whole(data: bytes, at: int) -> Cut | None:
    """A record whose length is right. One with a terminator inside is believed too, unless a leader follows that one."""
    digits = data[at : at + 5]
    if not digits.isdigit():
        return None
    stop = at + int(digits)
    if stop - at <= LEADER_LENGTH or stop > len(data) or data[stop - 1] != 0x1D:
        return None
    inside = data.find(b"\x1d", at, stop - 1)
    if inside >= 0 and PLAUSIBLE.match(data, inside + 1):
        return None
    return stop, (), ""


def _found(data: bytes, at: int) -> Cut:
    """Where the piece at `at` ends, by what the bytes show."""
    end = data.find(b"\x1d", at)
    stop = len(data) if end < 0 else end + 1
    if end >= 0 and stop - at <= LEADER_LENGTH:
        return stop, (), "MARC_NOT_A_RECORD"
    if not data[at : at + 5].isdigit() and not _is_leader(data[at : at + LEADER_LENGTH]):
        leader = PLAUSIBLE.search(data, at + 1, stop)
        return (leader.start() if leader else stop), (), "MARC_NOT_A_RECORD"
    following = _next_leader(data, at + LEADER_LENGTH, stop)
    if following:
        return following, ("MARC_TERMINATOR_MISSING",), ""
    if end < 0:
        return _unended(data, at)
    return stop, ("MARC_OVERSIZE" if stop - at > LARGEST_ISO else "MARC_LENGTH_WRONG",), ""


def _next_leader(data: bytes, start: int, stop: int) -> int:
    """Where a leader stands behind the end of a field or of a line; 0 if nowhere."""
    found = (before.search(data, start - 1, stop) for before in (BEFORE_IN_LINE, BEFORE_IN_FIELD))
    return min((one.end() for one in found if one), default=0)


def _unended(data: bytes, at: int) -> Cut:
    """The last record of the file, without its terminator: whole but for that, or cut short."""
    body = data[at:].rstrip(BETWEEN)
    stated = data[at : at + 5]
    if stated.isdigit() and int(stated) - 1 == len(body) and body[-1] == END_OF_FIELD:
        return len(data), ("MARC_TERMINATOR_MISSING",), ""
    return len(data), (), "RECORD_TOO_LONG" if len(data) - at > LARGEST else "MARC_TRUNCATED"


def _is_leader(data: bytes) -> bool:
    """Whether these bytes can be a leader whose length is damaged: the base address is a number, or the directory map is right."""
    return len(data) == LEADER_LENGTH and (data[12:17].isdigit() or data[20:22] == b"45")
