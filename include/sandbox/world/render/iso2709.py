"""ISO 2709 records, and the three character sets that the sandbox's libraries write them in."""

from __future__ import annotations

from typing import Literal

Charset = Literal["utf-8", "marc-8", "iso-8859-1"]
Field = tuple[str, str]
"""(tag, data): data of a control field is its text, of a data field two indicators and subfields, each after a 0x1F."""

SUBFIELD, FIELD_END, RECORD_END = "\x1f", b"\x1e", b"\x1d"

# ANSEL (ANSI/NISO Z39.47), the part that Nordic and Dutch words need: letters of its own, and marks that come before their letter.
_ANSEL = {"æ": b"\xb5", "Æ": b"\xa5", "ø": b"\xb2", "Ø": b"\xa2", "©": b"\xc3"}
_MARKS = {
    "å": b"\xeaa",
    "Å": b"\xeaA",
    "ä": b"\xe8a",
    "Ä": b"\xe8A",
    "ö": b"\xe8o",
    "Ö": b"\xe8O",
    "é": b"\xe2e",
    "ë": b"\xe8e",
    "ü": b"\xe8u",
}
_MARC8 = _ANSEL | _MARKS


def subfields(indicators: str, *pairs: tuple[str, str | None]) -> str:
    """The data of a field out of its indicators and (code, value) pairs; a None is left out."""
    return indicators + "".join(f"{SUBFIELD}{code}{value}" for code, value in pairs if value is not None)


def encoded(text: str, charset: Charset) -> bytes:
    """Text in a record's character set; ValueError for a letter that the sandbox's MARC-8 does not know."""
    if charset != "marc-8":
        return text.encode(charset)
    if text.isascii():
        return text.encode()
    octets = bytearray()
    for letter in text:
        if letter < "\x80":
            octets += letter.encode()
        elif letter in _MARC8:
            octets += _MARC8[letter]
        else:
            raise ValueError(f"{letter!r} has no MARC-8 form here")
    return bytes(octets)


def record(leader: str, fields: list[Field], charset: Charset) -> bytes:
    """One record; `leader` gives positions 5 to 11 and 17 to 19 (ten characters), lengths are counted here (ISO 2709:2008, 4.3)."""
    directory, data, at = [], [], 0
    for tag, text in fields:
        octets = encoded(text, charset) + FIELD_END
        directory.append(f"{tag}{len(octets):04d}{at:05d}")
        data.append(octets)
        at += len(octets)
    base = 24 + 12 * len(fields) + 1
    head = f"{base + at + 1:05d}{leader[:7]}{base:05d}{leader[7:]}4500" + "".join(directory)
    return head.encode("ascii") + FIELD_END + b"".join(data) + RECORD_END
