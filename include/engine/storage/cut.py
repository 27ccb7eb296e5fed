"""The original bytes of chosen records, cut out of a delivery in one pass from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import BinaryIO

from include.engine.errors import Refused
from include.engine.storage.archive import Member

Span = tuple[str, int, int]  # member, offset of the first byte, length in bytes
_STEP = 1 << 20


def cut(open_members: Callable[[], Iterator[Member]], spans: Iterable[Span]) -> Iterator[bytes]:
    """The bytes of each span, in the order of `spans`, which must be sorted by (member, offset); spans may repeat and overlap.

    `open_members` opens the delivery anew, its members sorted by name as `members` yields them. Holds one span and a block in memory.
    Raises Refused RECORD_BYTES_UNKNOWN for a span of unknown length (-1), beyond the end of its member, or in a member that is not there.
    """
    opened = open_members()
    for name, wanted in groupby(spans, key=lambda span: span[0]):
        member = next((member for member in opened if member.name == name), None)
        if member is None:
            raise _unknown(f"there is no member {name!r} (any more)")
        yield from _cut_one(member, wanted)


def _cut_one(member: Member, spans: Iterable[Span]) -> Iterator[bytes]:
    held, start = bytearray(), 0  # bytes that were read but not passed, and where in the member they begin
    for _, offset, length in spans:
        if length < 0:
            raise _unknown(f"the length of the record at byte {offset} is not known")
        if offset < start:
            raise ValueError("spans must be sorted by member and offset")
        if offset > start + len(held):
            _skip(member.stream, offset - start - len(held))
            held.clear()
        else:
            del held[: offset - start]
        start = offset
        while len(held) < length and (block := member.stream.read(max(_STEP, length - len(held)))):
            held += block
        if len(held) < length:
            raise _unknown(f"the record at byte {offset} ends beyond the file")
        yield bytes(held[:length])


def _skip(stream: BinaryIO, count: int) -> None:
    while count and (block := stream.read(min(count, _STEP))):
        count -= len(block)


def _unknown(what: str) -> Refused:
    return Refused(what, do="Replay the whole delivery.", code="RECORD_BYTES_UNKNOWN")
