"""Values into text: which character set each record is in, and what to do about bytes that no text has.

Nearly all values are ASCII, or UTF-8 as their record says: those are looked at once, together. Only the others go to include.marc.charsets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc import charsets
from include.marc.batch import Bools, Family, Ints
from include.marc.build import Issue
from include.marc.charsets.utf8 import valid
from include.marc.iso2709 import engine
from include.marc.iso2709.blocks import SPARE
from include.marc.iso2709.shapes import AT, CONTROL, HIGH, Rows

UTF8 = charsets.NAMES.index("utf-8")
WITH_AT, WITH_ESCAPE = (np.array([mark in charsets.SPECIAL[name] for name in charsets.NAMES]) for mark in (b"@", b"\x1b"))
SPARED = np.zeros(SPARE, np.uint8)
NOTHING = SPARED[:0]
NO_TEXT = bytes(byte for byte in range(32) if byte not in b"\t\r\n")


@dataclass(frozen=True)
class Choices:
    """How character sets are decided: `charset` is a name of charsets.NAMES, or `declared`: each record says its own, and may be overruled."""

    family: Family = "marc21"
    charset: str = "declared"
    replace: bool = False


@dataclass
class Read:
    """The text of all rows, and for each record its character set; `issues` and `refused` are by index of record."""

    value: pa.StringArray
    charset: Ints
    issues: dict[int, list[Issue]] = field(default_factory=dict)
    refused: dict[int, tuple[str, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Declared:
    """For each record the character set to begin with; `called`, by index of record: escape sequences that are as if before each of its values."""

    charset: Ints
    called: dict[int, bytes] = field(default_factory=dict)


def declared(area: Ints, leader: Ints, rows: Rows, general: Ints, choices: Choices) -> Declared:
    """What each record says. `leader`: where each leader begins; `general`: for each record its UNIMARC 100 *a, a row, or -1."""
    count = len(leader)
    if choices.charset != "declared":
        return Declared(np.full(count, charsets.NAMES.index(choices.charset), np.uint8))
    coding = area[leader + 9]
    if not (general >= 0).any():
        return Declared(charsets.declared(coding, pa.nulls(count, pa.binary()), choices.family))
    named = np.maximum(general, 0)
    found, _ = engine.values(area, NOTHING, rows.start[named], rows.end[named])
    texts = pc.if_else(pa.array(general >= 0), found, pa.scalar(None, pa.binary()))
    return Declared(charsets.declared(coding, texts, choices.family), charsets.called(texts))


def read(area: Ints, rows: Rows, said: Declared, choices: Choices) -> Read:
    """The text of every row. `said`: what each record begins with."""
    charset, rec = said.charset, rows.rec
    done = Read(pa.array([], pa.string()), charset)
    places = _without_controls(Places(area, NOTHING, rows.start, rows.end), rows, done)
    odd = _special(rows, charset)
    if len(odd):
        places = _after(said.called, places, odd, rec)
        places = places.patched(odd, _decoded(places, odd, rec, choices, done))
    values, wrong = engine.values(places.area, places.other, places.start, places.end, rows.flags)
    if len(wrong):
        invalid = _beyond_ascii(places, np.flatnonzero(np.isin(rec, rec[wrong])))
        values = (places := places.patched(invalid, _decoded(places, invalid, rec, choices, done))).values()
    done.value = pa.StringArray.from_buffers(len(values), values.buffers()[1], values.buffers()[2])
    return done


@dataclass(frozen=True)
class Places:
    """Where the value of each row is: [start, end) in `area`, or, from its length on, in `other`. Behind both there are SPARE bytes."""

    area: Ints
    other: Ints
    start: Ints
    end: Ints

    def values(self, rows: Ints | None = None) -> pa.BinaryArray:
        """The values of these rows, or of all."""
        start, end = (self.start, self.end) if rows is None else (self.start[rows], self.end[rows])
        return engine.values(self.area, self.other, start, end)[0]

    def patched(self, rows: Ints, values: pa.Array) -> Places:
        """With other values for these rows."""
        offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
        data = np.frombuffer(values.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
        other = np.concatenate([self.other, data, SPARED])
        start, end = self.start.copy(), self.end.copy()
        behind = np.int32(len(self.area) + len(self.other)) - offsets[0]
        start[rows], end[rows] = offsets[:-1] + behind, offsets[1:] + behind
        return Places(self.area, other[: len(other) - SPARE], start, end)


def _special(rows: Rows, charset: Ints) -> Ints:
    """The rows that cannot be taken as they are, by their flags and by what their records declare."""
    flagged = np.flatnonzero((rows.flags & (HIGH | AT | CONTROL)) != 0)
    flagged = flagged[charset[rows.rec[flagged]] != UTF8]
    flags, of_row = rows.flags[flagged], charset[rows.rec[flagged]]
    found: Bools = (flags & HIGH) != 0
    found |= WITH_AT[of_row] & ((flags & AT) != 0)
    found |= WITH_ESCAPE[of_row] & ((flags & CONTROL) != 0)
    special: Ints = flagged[found]
    return special


def _after(called: dict[int, bytes], places: Places, odd: Ints, rec: Ints) -> Places:
    """With the escape sequences that a record's declaration stands for before those of its values that need them."""
    rows = odd[np.isin(rec[odd], list(called))] if called else odd[:0]
    if not len(rows):
        return places
    texts = zip(rec[rows].tolist(), places.values(rows).to_pylist(), strict=True)
    return places.patched(rows, pa.array([called[record] + text if _calls(text) else text for record, text in texts], pa.binary()))


def _calls(text: bytes) -> bool:
    """Whether G2 or G3 may be called: by an escape sequence, or by a single shift, unless that is inside a character of UTF-8."""
    return b"\x1b" in text or ((b"\x8e" in text or b"\x8f" in text) and not valid(text))


def _decoded(places: Places, odd: Ints, rec: Ints, choices: Choices, done: Read) -> pa.StringArray:
    """The text of the rows `odd`; what was found of their records goes into `done`."""
    overrule = choices.charset == "declared"
    found = charsets.decode(places.values(odd), rec[odd], done.charset, family=choices.family, overrule=overrule, replace=choices.replace)
    done.charset = found.charset
    for record, reasons in found.repaired.items():
        done.issues.setdefault(record, []).extend(Issue(reason, detail) for reason, detail in reasons)
    done.refused |= found.refused
    return found.value


def _without_controls(places: Places, rows: Rows, done: Read) -> Places:
    """The values without control characters, but for the escapes of sets that have them; their records are told of."""
    flagged = np.flatnonzero((rows.flags & CONTROL) != 0)
    if not len(flagged):
        return places
    texts = places.values(flagged).to_pylist()
    for at, record in enumerate(rows.rec[flagged].tolist()):
        kept = charsets.SPECIAL[charsets.NAMES[done.charset[record]]]
        text = texts[at].translate(None, bytes(byte for byte in NO_TEXT if byte not in kept))
        if len(text) < len(texts[at]) and record not in done.issues:
            done.issues[record] = [Issue("MARC_CONTROL_CHARACTER")]
        texts[at] = text
    return places.patched(flagged, pa.array(texts, pa.binary()))


def _beyond_ascii(places: Places, rows: Ints) -> Ints:
    """Of these rows those that are not all ASCII."""
    found: Ints = rows[[not text.isascii() for text in places.values(rows).to_pylist()]]
    return found
