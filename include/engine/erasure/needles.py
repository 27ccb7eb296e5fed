"""Looking for one person in bytes: their numbers and names, in every form in which systems write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

_BLOCK = 1 << 20
_OPENS = frozenset(b"\r\n;,\t|\"'<>{[( =:\x00\x1e\x1f")  # what stands before a field's value in CSV, JSON lines, XML and ISO 2709
_CLOSES = frozenset(b"\r\n;,\t|\"'<>}]) &\x00\x1e\x1f")
_LONG = 6  # a shorter number is met by chance


@dataclass(frozen=True)
class Needles:
    """What a person is known by, as text.

    strong: says who it is wherever it stands (national number, card, e-mail, telephone, pseudonym). ids: the ILS's own numbers, which may
    be as short as "17" and count only as a whole field. words: name and address, which others may share. listed: numbers that mean something
    in the library's lists of prospects alone.
    """

    strong: frozenset[str]
    ids: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Needles({len(self.strong)} strong, {len(self.ids)} ids, {len(self.words)} words)"

    def __or__(self, other: Needles) -> Needles:
        strong = self.strong | other.strong
        return Needles(strong, (self.ids | other.ids) - strong, self.words | other.words, self.listed | other.listed)

    def all(self) -> Needles:
        """Everything, as strong as it gets: for records that are known to be of patrons."""
        return Needles(self.strong | self.words, self.ids)

    def of_lists(self) -> Needles:
        """For the library's lists of prospects: everything, and their numbers there."""
        return Needles(self.strong | self.words, self.ids | self.listed)

    def public(self) -> Needles:
        """Only what says who it is anywhere: for deliveries of titles and items, where "17" is a number of pages."""
        return Needles(self.strong | {one for one in self.ids if len(one) >= _LONG})

    def found_in(self, data: bytes) -> bool:
        """Whether any of strong or ids stands in `data`."""
        return next(self.places(data), None) is not None

    def found_in_stream(self, stream: BinaryIO) -> bool:
        """The same over a stream, read block by block."""
        overlap = max((len(form) for form, _ in self._forms()), default=0) + 2
        tail = b"\n"
        while block := stream.read(_BLOCK):
            if self.found_in(tail + block):
                return True
            tail = (tail + block)[-overlap:]
        return self.found_in(tail + b"\n")

    def places(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Start and end of each find in `data`."""
        for form, whole_field in self._forms():
            at = data.find(form)
            while at >= 0:
                end = at + len(form)
                if _stands(data, at, end, whole_field):
                    yield at, end
                at = data.find(form, at + 1)

    def redacted(self, data: bytes) -> bytes:
        """`data` with every find overwritten by as many `*`."""
        clean = bytearray(data)
        for start, end in self.places(data):
            clean[start:end] = b"*" * (end - start)
        return bytes(clean)

    def _forms(self) -> list[tuple[bytes, bool]]:
        return [(form, False) for one in self.strong for form in _encoded(one)] + [
            (form, True) for one in self.ids for form in _encoded(one)
        ]


def national_forms(number: str) -> set[str]:
    """The ways in which a national number is written: with and without its signs, and with two digits of the year instead of four."""
    digits = re.sub(r"[^0-9A-Za-z]", "", number)
    forms = {number, digits}
    for short in {digits, digits[2:]} if len(digits) == 12 else {digits}:
        if len(short) in {10, 12}:
            forms |= {short} | {f"{short[:-4]}{sign}{short[-4:]}" for sign in "-+ "}
    if len(digits) == 11:
        forms |= {f"{digits[:6]}-{digits[6:9]}.{digits[9:]}", f"{digits[:2]}.{digits[2:4]}.{digits[4:6]}-{digits[6:9]}.{digits[9:]}"}
    return {form for form in forms if form}


def needles(
    *,
    nationals: Iterable[str] = (),
    cards: Iterable[str] = (),
    contacts: Iterable[str] = (),
    ids: Iterable[str] = (),
    words: Iterable[str] = (),
    listed: Iterable[str] = (),
) -> Needles:
    """Needles of what is known of a person; empty values and words too short to mean anything are left out."""
    strong = {form for number in nationals if number for form in national_forms(number)}
    numbers = {number for number in (*cards, *ids) if number}
    strong |= {one for one in contacts if one and len(one) >= _LONG} | {one for one in cards if one and len(one) >= _LONG}
    long = frozenset(word for word in words if word and len(word) >= _LONG)
    return Needles(frozenset(strong), frozenset(numbers - strong), long, frozenset(one for one in listed if one))


def _encoded(text: str) -> set[bytes]:
    forms = {text.encode(), text.encode("latin-1", "ignore"), text.encode("utf-16-le"), json.dumps(text)[1:-1].encode()}
    return {form for form in forms if form}


def _stands(data: bytes, start: int, end: int, whole_field: bool) -> bool:
    before, after = data[start - 1 : start] if start else b"\n", data[end : end + 1] or b"\n"
    if whole_field:
        return before[0] in _OPENS and after[0] in _CLOSES
    return not (before.isalnum() or after.isalnum())
