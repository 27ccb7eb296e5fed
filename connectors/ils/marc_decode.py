"""The bytes of one ISO 2709 record into a record, repaired where that loses nothing, and refused where it would.

A record is read by its directory where directory and field terminators agree. Where they do not, but there are as many fields as directory
entries, the fields are taken in their order. What was repaired is said, by reason code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from connectors.ils import marc8
from connectors.ils.iso2709 import LEADER, Piece
from connectors.ils.profile import Charset, RecordFormat
from include.marc.record import NOT_XML, Field, Record

END_OF_FIELD = b"\x1e"
DELIMITER = b"\x1f"
ENTRY = 12
Decode = Callable[[bytes], str]


class Unreadable(Exception):
    """This record cannot be read without losing something: a reason code, and what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Decoded:
    """A record, the character set that it was in, and reason codes of what was repaired."""

    record: Record
    encoding: str
    repairs: tuple[str, ...]


def decode(piece: Piece, family: RecordFormat, charset: Charset) -> Decoded:
    """Read a piece. `charset` `leader` lets the record say it (MARC 21: leader/09; UNIMARC: 100$a/26). Raises Unreadable."""
    if piece.fault:
        raise Unreadable(piece.fault)
    raw = piece.raw
    if len(raw) <= LEADER + 1:
        raise Unreadable("MARC_TRUNCATED")
    if not raw[:LEADER].isascii():
        raise Unreadable("MARC_LEADER_INVALID")
    repairs = list(piece.repairs)
    fields = _by_directory(raw)
    if fields is None:
        fields = _by_order(raw)
        repairs.append("MARC_DIRECTORY_WRONG")
    encoding, text = _charset(raw, fields, family, charset, repairs)
    leader = raw[:LEADER].decode("ascii")
    try:
        found = [_field(tag, data, family, text, repairs) for tag, data in fields]
    except (marc8.NotMarc8, UnicodeDecodeError) as error:
        raise Unreadable("MARC_CHARSET_WRONG", f"not {encoding}") from error
    kept = [field for field in found if field is not None]
    if not kept:
        raise Unreadable("MARC_DIRECTORY_INVALID", "no field")
    return Decoded(Record(leader, kept), encoding, tuple(dict.fromkeys(repairs)))


Fields = list[tuple[str, bytes]]


def _by_directory(raw: bytes) -> Fields | None:
    """Fields at the places that the directory names; None if anything there disagrees with the field terminators."""
    base = int(raw[12:17]) if raw[12:17].isdigit() else 0
    directory = raw[LEADER : base - 1]
    if base <= LEADER or base > len(raw) or raw[base - 1 : base] != END_OF_FIELD or len(directory) % ENTRY or not directory:
        return None
    fields: Fields = []
    total = 0
    for at in range(0, len(directory), ENTRY):
        numbers = directory[at + 3 : at + ENTRY]
        if not numbers.isdigit():
            return None
        length, start = int(numbers[:4]), base + int(numbers[4:])
        end = start + length
        if length < 1 or raw[end - 1 : end] != END_OF_FIELD or end > len(raw):
            return None
        total += length
        fields.append((_tag(directory[at : at + 3]), raw[start : end - 1]))
    return fields if base + total in (len(raw) - 1, len(raw)) else None


def _by_order(raw: bytes) -> Fields:
    """Fields in their order, given to the directory's tags in theirs (by starting place, where that is readable)."""
    stop = raw.find(END_OF_FIELD, LEADER)
    if stop < 0:
        raise Unreadable("MARC_DIRECTORY_INVALID", "no end of the directory")
    directory, rest = raw[LEADER:stop], raw[stop + 1 :].rstrip(b"\x1d\r\n\0 ")
    parts = rest.split(END_OF_FIELD)
    if parts and not parts[-1]:
        parts.pop()
    if len(directory) % ENTRY or len(directory) // ENTRY != len(parts) or not parts:
        raise Unreadable("MARC_DIRECTORY_INVALID", f"{len(directory) // ENTRY} entries, {len(parts)} fields")
    entries = [directory[at : at + ENTRY] for at in range(0, len(directory), ENTRY)]
    by_start = sorted(entries, key=lambda entry: entry[7:])
    if _chained(by_start):  # in a record over 99,999 bytes the starting places wrap around, and say nothing
        entries = by_start
    return [(_tag(entry[:3]), part) for entry, part in zip(entries, parts, strict=True)]


def _chained(entries: list[bytes]) -> bool:
    """Whether each field begins where the one before ends."""
    if not all(entry[3:].isdigit() for entry in entries):
        return False
    spans = [(int(entry[7:]), int(entry[3:7])) for entry in entries]
    return all(start + length == after for (start, length), (after, _) in pairwise(spans))


def _tag(tag: bytes) -> str:
    if not tag.isalnum() or not tag.isascii():
        raise Unreadable("MARC_DIRECTORY_INVALID", "a tag that is none")
    return tag.decode("ascii")


def _charset(raw: bytes, fields: Fields, family: RecordFormat, charset: Charset, repairs: list[str]) -> tuple[str, Decode]:
    """(name, decoder) of the record's character set: what is declared, unless the bytes say that it is the other one."""
    body = b"".join(data for _, data in fields)
    if charset == "leader":
        charset = "utf-8"
        if family == "marc21" and raw[9:10] != b"a":
            if body.isascii() or not _is(body, "utf-8"):
                return "marc-8", marc8.decode
            repairs.append("MARC_UTF8_DECLARED_MARC8")
    if charset == "utf-8" and not _is(body, "utf-8"):
        if family == "marc21" and _is_marc8(fields):
            repairs.append("MARC_MARC8_DECLARED_UTF8")
            return "marc-8", marc8.decode
        raise Unreadable("MARC_CHARSET_WRONG", "not UTF-8")
    return charset, lambda data: data.decode(charset)


def _is(data: bytes, charset: str) -> bool:
    try:
        data.decode(charset)
    except UnicodeDecodeError:
        return False
    return True


def _is_marc8(fields: Fields) -> bool:
    try:
        for _, data in fields:
            for part in data.split(DELIMITER):
                marc8.decode(part)
                if not marc8.composes(part):
                    return False
    except marc8.NotMarc8:
        return False
    return True


def _field(tag: str, data: bytes, family: RecordFormat, text: Decode, repairs: list[str]) -> Field | None:
    """One field. Control fields are those below 010 (danMARC2 has none) and local ones without any subfield."""
    if (tag < "010" and tag.isdigit() and family != "danmarc2") or (DELIMITER not in data and not tag.isdigit()):
        return Field(tag, data=_clean(text(data), repairs))
    head, *parts = data.split(DELIMITER)
    indicators = head.decode("latin-1")
    if len(indicators) != 2 or not indicators.isascii():
        repairs.append("MARC_INDICATORS_WRONG")
        indicators = (indicators if indicators.isascii() else "")[:2].ljust(2)
    if not parts:
        repairs.append("MARC_FIELD_EMPTY")
        return None
    subfields = []
    for part in parts:
        value = text(part)
        if value:
            subfields.append((value[0], _clean(value[1:], repairs)))
    return Field(tag, indicators=indicators, subfields=subfields)


def _clean(value: str, repairs: list[str]) -> str:
    """Without characters that no text holds (and XML forbids)."""
    if NOT_XML.search(value) is None:
        return value
    repairs.append("MARC_CONTROL_CHARACTER")
    return NOT_XML.sub("", value)
