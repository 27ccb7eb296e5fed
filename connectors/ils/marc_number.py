"""The control number of a MARC record that cannot be read: what its bytes say of 001 and 003, where damage has left that much.

The lake keeps its row of a record that was set aside, and must know which that is. Nothing else of such a record is used.
"""

from __future__ import annotations

import re

from connectors.ils.profile import RecordFormat
from include.marc.batch import LEADER_LENGTH
from include.marc.record import Field, Record

WANTED = ("001", "003")
_LONGEST = 64
_ENTRY = 12
_CONTROL = re.compile(rb"""<(?:\w+:)?controlfield\b[^>]*\btag=["'](00[13])["'][^>]*>([^<]*)<""")
_DATA = re.compile(rb"""<(?:\w+:)?datafield\b[^>]*\btag=["'](001)["'][^>]*>(.*?)</(?:\w+:)?datafield""", re.DOTALL)
_SUBFIELD = re.compile(rb"""<(?:\w+:)?subfield\b[^>]*\bcode=["'](\w)["'][^>]*>([^<]*)<""")


def told(raw: bytes, family: RecordFormat) -> Record:
    """A record of 001 and 003 alone, as far as these read; it has no field where they do not."""
    found = _in_xml(raw) if raw.lstrip()[:1] == b"<" else _in_iso2709(raw, family)
    return Record(" " * LEADER_LENGTH, [field for field in found if field is not None])


def _in_iso2709(raw: bytes, family: RecordFormat) -> list[Field | None]:
    """By the order of the directory: its first entries are believed as long as they are those of control fields."""
    directory, *parts = raw[LEADER_LENGTH:].split(b"\x1e")
    tags = [directory[at : at + 3].decode("latin-1") for at in range(0, len(directory), _ENTRY)]
    if not tags or tags[0] != "001":
        return []
    found: list[Field | None] = []
    for tag, part in zip(tags[:2], parts[:-1], strict=False):  # what stands behind the last field end may be cut off
        if tag in WANTED and family == "danmarc2":
            found.append(_field(tag, [(sub[:1], sub[1:]) for sub in part.split(b"\x1f")[1:]]))
        elif tag in WANTED:
            found.append(_field(tag, part))
    return found


def _in_xml(raw: bytes) -> list[Field | None]:
    plain = [_field(tag.decode(), value) for tag, value in _CONTROL.findall(raw)]
    return [*plain, *(_field(tag.decode(), _SUBFIELD.findall(content)) for tag, content in _DATA.findall(raw))]


def _field(tag: str, content: bytes | list[tuple[bytes, bytes]]) -> Field | None:
    """The field, None where it holds anything that no control number does."""
    if isinstance(content, bytes):
        text = _plain(content)
        return Field(tag, data=text) if text else None
    subfields = [(_plain(code), _plain(value)) for code, value in content]
    return Field(tag, subfields=subfields) if subfields and all(code and value for code, value in subfields) else None


def _plain(content: bytes) -> str:
    text = content.decode("latin-1")
    return text if text.isascii() and text.isprintable() and len(text) <= _LONGEST else ""
