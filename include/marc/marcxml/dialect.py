"""How a file spells its tags. A program writes every tag of a kind in the same way, but for the three characters of the tag, the indicators and the
code; so the first of each spelling is a template, with which all others are compared, eight bytes at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from include.marc.batch import Bools, Ints


class Kind(IntEnum):
    """What a `<` begins. OTHER is whatever is not spelled as a template."""

    OTHER = 0
    RECORD = 1
    RECORD_END = 2
    LEADER = 3
    LEADER_END = 4
    CONTROL = 5
    CONTROL_END = 6
    DATA = 7
    DATA_END = 8
    SUBFIELD = 9
    SUBFIELD_END = 10


OPENING = {b"leader": Kind.LEADER, b"controlfield": Kind.CONTROL, b"datafield": Kind.DATA, b"subfield": Kind.SUBFIELD}
CLOSING = {
    b"subfield>": Kind.SUBFIELD_END,
    b"datafield>": Kind.DATA_END,
    b"controlfield>": Kind.CONTROL_END,
    b"leader>": Kind.LEADER_END,
}
#: The attributes that a kind must have, and those that it may have (ISO 25577, MarcXchange, leaves indicators out where a format has none).
NEEDED = {Kind.LEADER: set(), Kind.CONTROL: {b"tag"}, Kind.DATA: {b"tag"}, Kind.SUBFIELD: {b"code"}}
READ = {b"tag", b"ind1", b"ind2", b"code"}
TAG = re.compile(
    rb"<((?:[A-Za-z_][\w.-]*:)?)(leader|controlfield|datafield|subfield)"
    rb"""((?:\s+[A-Za-z_][\w:.-]*\s*=\s*(?:"[^"<&]*"|'[^'<&]*'))*)\s*>"""
)
ATTRIBUTE = re.compile(rb"""([A-Za-z_][\w:.-]*)\s*=\s*["']([^"']*)["']""")
LONGEST = 256
MOST = 24


@dataclass(frozen=True)
class Template:
    """A spelling of an opening tag: `text` holds wherever `places` (attribute -> (start, length)) do not."""

    kind: Kind
    text: bytes
    prefix: bytes
    places: dict[bytes, tuple[int, int]]

    @property
    def wide(self) -> bool:
        """Whether its code is a letter of two bytes."""
        return self.places.get(b"code", (0, 1))[1] == 2

    @property
    def wild(self) -> frozenset[int]:
        """Places in the text that differ from tag to tag."""
        return frozenset(place for start, length in self.places.values() for place in range(start, start + length))


@dataclass
class Dialect:
    """The spellings met so far. `wide_codes`: subfield codes may be letters beyond ASCII (danMARC2's ø)."""

    wide_codes: bool = False
    templates: list[Template] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=lambda: [b""])

    def learn(self, buffer: memoryview, place: int) -> bool:
        """Take the tag at `place` as a template, if it can be one and is not known."""
        found = TAG.match(buffer, place)
        if found is None or len(found[0]) > LONGEST or len(self.templates) == MOST:
            return False
        template = self._template(found)
        if template is None or template in self.templates:
            return False
        self.templates.append(template)
        if template.prefix not in self.prefixes:
            self.prefixes.append(template.prefix)
        return True

    def _template(self, found: re.Match[bytes]) -> Template | None:
        kind, begin = OPENING[found[2]], found.start()
        places: dict[bytes, tuple[int, int]] = {}
        for attribute in ATTRIBUTE.finditer(found[3]):
            name, value = attribute[1], attribute[2]
            if name in READ:
                width = 3 if name == b"tag" else 2 if name == b"code" and self.wide_codes and not value.isascii() else 1
                if name in places or len(value) != width:
                    return None
                places[name] = (found.start(3) - begin + attribute.start(2), width)
        if not NEEDED[kind] <= places.keys():
            return None
        text = bytearray(found[0])
        for start, length in places.values():
            text[start : start + length] = b"\0" * length
        return Template(kind, bytes(text), found[1], places)


def words(buffer: Ints) -> Ints:
    """Every eight bytes of the buffer, from each of its places, as a little-endian number."""
    return np.ndarray((len(buffer) - 8,), "<u8", buffer, strides=(1,))


def same(eight: Ints, at: Ints, text: bytes, wild: frozenset[int] = frozenset()) -> Bools:
    """At which of the places `at` the text stands, whatever is in the places `wild` of it."""
    differs = np.zeros(len(at), np.uint64)
    for begin in range(0, len(text), 8):
        known = [begin + place < len(text) and begin + place not in wild for place in range(8)]
        mask = int.from_bytes(bytes(255 if yes else 0 for yes in known), "little")
        if not mask:
            continue
        part = int.from_bytes(bytes(text[begin + place] if yes else 0 for place, yes in enumerate(known)), "little")
        found = eight[begin:][at] ^ np.uint64(part)
        if mask != (1 << 64) - 1:
            found &= np.uint64(mask)
        differs |= found
    standing: Bools = differs == 0
    return standing
