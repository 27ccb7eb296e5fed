"""A MARC record tag by tag: a whole one by the house's own reader, a damaged one as far as its bytes still tell."""

from __future__ import annotations

from io import BytesIO

import pyarrow as pa

from include.engine.quarantine.writing import Writing
from include.marc import iso2709
from include.marc.batch import LEADER_LENGTH, Family
from include.marc.build import one_by_one
from include.marc.charsets.codecs import to_text
from include.marc.record import Field, Record
from include.records.masks import Masks
from include.records.model import MOST_PARTS, Broken, Line, Part, Shown, bounded

ENTRY = 12
Cut = tuple[str, str, list[tuple[str, bytes]]]
DANMARC2 = {"utf-8": "danmarc2-utf-8", "iso-8859-1": "danmarc2", "declared": "declared"}


def charset_of(writing: Writing) -> str:
    """The character set as include.marc names it."""
    return DANMARC2.get(writing.charset, writing.charset) if writing.family == "danmarc2" else writing.charset


def show(raw: bytes, masks: Masks, *, whole: bool = True) -> Shown:
    """The record in ISO 2709; never raises for what the bytes are. `whole`: nothing was left off at its end."""
    writing = masks.writing
    record, broken = read(raw, writing) if whole else (None, ())
    if record is None:
        record, broken = piece_by_piece(raw, writing)
    return bounded("marc", lines_of(record, masks), broken)


def read(raw: bytes, writing: Writing) -> tuple[Record | None, tuple[Broken, ...]]:
    """The record as the house reads it, unknown characters replaced, with what was wrong; None where it cannot be read at all."""
    batches = list(iso2709.scan(BytesIO(raw), family=writing.family, charset=charset_of(writing), undecodable="replace"))
    records = [record for batch in batches for record in one_by_one(batch)]
    if len(records) != 1 or any(batch.aside.num_rows for batch in batches):
        return None, ()
    reasons = [reason for batch in batches for reason in batch.issues.column("reason").to_pylist()]
    return records[0], tuple(Broken(reason) for reason in dict.fromkeys(reasons))


def lines_of(record: Record, masks: Masks) -> list[Line]:
    """A line for the leader and for each field. MARC is a public record; only numbers of persons in it are masked."""
    lines = [Line("LDR", (masks.part("LDR", record.leader, number=True),))] if record.leader.strip() else []
    for field in record.fields:
        number = field.tag.startswith("0")
        if field.data is not None:
            lines.append(Line(field.tag, (masks.part(field.tag, field.data, number=number),)))
            continue
        parts = [masks.part(field.tag, value, code, number=number) for code, value in field.subfields[:MOST_PARTS]]
        if len(field.subfields) > MOST_PARTS:
            parts.append(Part(f"… (+{len(field.subfields) - MOST_PARTS:,})"))
        lines.append(Line(field.tag, tuple(parts), field.indicators))
    return lines


def piece_by_piece(raw: bytes, writing: Writing) -> tuple[Record, tuple[Broken, ...]]:
    """What is left of a record that no reader takes: fields by their terminators, tags by the order of the directory.

    Broken at the first place where the directory and the fields no longer agree.
    """
    leader = raw[:LEADER_LENGTH]
    if b"\x1e" not in raw:
        record = Record(leader.decode("latin-1") if leader[:5].isdigit() else "")
        rest = raw[LEADER_LENGTH:] if record.leader else raw
        record.fields = [Field("???", data=part.decode("utf-8", "replace")) for part in rest.split(b"\x1d") if part]
        return record, (Broken("MARC_NOT_A_RECORD" if not record.leader else "MARC_TRUNCATED", len(raw)),)
    directory, *parts = raw[LEADER_LENGTH:].rstrip(b"\x1d").split(b"\x1e")
    if parts and not parts[-1].strip(b"\x1d\r\n "):
        parts.pop()
    entries = [directory[at : at + ENTRY] for at in range(0, len(directory), ENTRY)]
    broken = _first_disagreement(raw, leader, directory, entries, parts)
    fields: list[Cut] = []
    for place, part in enumerate(parts):
        tag = entries[place][:3].decode("latin-1") if place < len(entries) else "???"
        fields.append(_field(tag, part, writing.family))
    return _decoded(Record(leader.decode("latin-1"), []), fields, writing), broken


def _first_disagreement(raw: bytes, leader: bytes, directory: bytes, entries: list[bytes], parts: list[bytes]) -> tuple[Broken, ...]:
    if not leader[:5].isdigit() or not leader[12:17].isdigit():
        return (Broken("MARC_LEADER_INVALID", 0),)
    base = int(leader[12:17])
    at = LEADER_LENGTH + len(directory) + 1
    if base != at:
        return (Broken("MARC_DIRECTORY_INVALID", 12),)
    ended = raw.rstrip(b"\r\n\x1a").endswith(b"\x1d")
    for number, entry in enumerate(entries):
        here = LEADER_LENGTH + number * ENTRY
        if len(entry) < ENTRY or not entry[3:].isdigit():
            return (Broken("MARC_DIRECTORY_INVALID", here),)
        if number >= len(parts) - (not ended):
            return (Broken("MARC_TRUNCATED", len(raw)),)
        if base + int(entry[7:12]) != at or int(entry[3:7]) != len(parts[number]) + 1:
            return (Broken("MARC_DIRECTORY_WRONG", here),)
        at += len(parts[number]) + 1
    if not ended:
        return (Broken("MARC_TERMINATOR_MISSING", len(raw)),)
    return ()


def _field(tag: str, part: bytes, family: Family) -> Cut:
    """(tag, indicators, subfields); a control field has one without code."""
    if b"\x1f" not in part or (tag.startswith("00") and family != "danmarc2"):
        return tag, "", [("", part)]
    before, *subfields = part.split(b"\x1f")
    return tag, before.decode("latin-1")[:9], [(sub[:1].decode("latin-1"), sub[1:]) for sub in subfields]


def _decoded(record: Record, fields: list[Cut], writing: Writing) -> Record:
    values = [value for _, _, subfields in fields for _, value in subfields]
    texts = iter(_texts(values, record.leader, writing))
    for tag, indicators, subfields in fields:
        if [code for code, _ in subfields] == [""]:
            record.fields.append(Field(tag, data=next(texts)))
        else:
            record.fields.append(Field(tag, indicators=indicators, subfields=[(code, next(texts)) for code, _ in subfields]))
    return record


def _texts(values: list[bytes], leader: str, writing: Writing) -> list[str]:
    """UTF-8 where all of it is; else the set that the delivery or the leader names; characters of no set become U+FFFD."""
    array = pa.array(values, pa.binary())
    as_utf8 = to_text(array, "utf-8")
    named = charset_of(writing)
    if not as_utf8.faults and named in {"declared", "utf-8"}:
        found: list[str] = as_utf8.texts.to_pylist()
        return found
    if named == "declared":
        own = {"marc21": "marc-8", "unimarc": "iso-5426", "danmarc2": "danmarc2"}[writing.family]
        named = "utf-8" if leader[9:10] == "a" else own
    texts: list[str] = to_text(array, named).texts.to_pylist()
    return texts
