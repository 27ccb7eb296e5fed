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
from include.marc.charsets.utf8 import valid, whole
from include.marc.iso2709.shapes import AT, CONTROL, HIGH, Rows
from include.marc.iso2709.subfields import cut

UTF8 = charsets.NAMES.index("utf-8")
WITH_AT, WITH_ESCAPE = (np.array([mark in charsets.SPECIAL[name] for name in charsets.NAMES]) for mark in (b"@", b"\x1b"))
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
    leaders = np.lib.stride_tricks.sliding_window_view(area, 24)[leader] if count else np.zeros((0, 24), np.uint8)
    if not (general >= 0).any():
        return Declared(charsets.declared(leaders, pa.nulls(count, pa.binary()), choices.family))
    named = np.maximum(general, 0)
    texts = pc.if_else(pa.array(general >= 0), cut(area, rows.start[named], rows.end[named]), pa.scalar(None, pa.binary()))
    return Declared(charsets.declared(leaders, texts, choices.family), charsets.called(texts))


def read(area: Ints, rows: Rows, rec: Ints, said: Declared, choices: Choices) -> Read:
    """The text of every row. `rec`: the record of each row; `said`: what each record begins with."""
    charset = said.charset
    done = Read(pa.array([], pa.string()), charset)
    places = _without_controls(Places(area, rows.start, rows.end), rows, rec, done)
    odd = _special(rows, rec, charset)
    if len(odd):
        places = _after(said.called, places, odd, rec)
        places = places.patched(odd, _decoded(places, odd, rec, choices, done))
    values = places.values()
    if not whole(values):
        invalid = _of_invalid_records(values, rec)
        values = places.patched(invalid, _decoded(places, invalid, rec, choices, done)).values()
    done.value = pa.StringArray.from_buffers(len(values), values.buffers()[1], values.buffers()[2])
    return done


@dataclass(frozen=True)
class Places:
    """Where the value of each row is: [start, end) in `area`."""

    area: Ints
    start: Ints
    end: Ints

    def values(self, rows: Ints | None = None) -> pa.BinaryArray:
        """The values of these rows, or of all."""
        return cut(self.area, self.start, self.end) if rows is None else cut(self.area, self.start[rows], self.end[rows])

    def patched(self, rows: Ints, values: pa.Array) -> Places:
        """With other values for these rows: they are put behind the area."""
        offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
        data = np.frombuffer(values.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
        start, end = self.start.copy(), self.end.copy()
        start[rows] = offsets[:-1] - offsets[0] + np.int32(len(self.area))
        end[rows] = offsets[1:] - offsets[0] + np.int32(len(self.area))
        return Places(np.concatenate([self.area, data]), start, end)


def _special(rows: Rows, rec: Ints, charset: Ints) -> Ints:
    """The rows that cannot be taken as they are, by their flags and by what their records declare."""
    flagged = np.flatnonzero(rows.flags & (HIGH | AT | CONTROL))
    flags, of_row = rows.flags[flagged], charset[rec[flagged]]
    found: Bools = (of_row != UTF8) & ((flags & HIGH) != 0)
    found |= WITH_AT[of_row] & ((flags & AT) != 0)
    found |= WITH_ESCAPE[of_row] & ((flags & CONTROL) != 0)
    return flagged[found]


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


def _without_controls(places: Places, rows: Rows, rec: Ints, done: Read) -> Places:
    """The values without control characters, but for the escapes of sets that have them; their records are told of."""
    flagged = np.flatnonzero(rows.flags & CONTROL)
    if not len(flagged):
        return places
    texts = places.values(flagged).to_pylist()
    for at, record in enumerate(rec[flagged].tolist()):
        kept = charsets.SPECIAL[charsets.NAMES[done.charset[record]]]
        text = texts[at].translate(None, bytes(byte for byte in NO_TEXT if byte not in kept))
        if len(text) < len(texts[at]) and record not in done.issues:
            done.issues[record] = [Issue("MARC_CONTROL_CHARACTER")]
        texts[at] = text
    return places.patched(flagged, pa.array(texts, pa.binary()))


def _of_invalid_records(values: pa.BinaryArray, rec: Ints) -> Ints:
    """Rows beyond ASCII of the records that say UTF-8 and have a row that is none."""
    as_text = pa.StringArray.from_buffers(len(values), values.buffers()[1], values.buffers()[2])
    beyond = np.flatnonzero(~np.asarray(pc.string_is_ascii(as_text)))
    texts = values.take(pa.array(beyond)).to_pylist()
    invalid = np.unique(rec[beyond[[not valid(text) for text in texts]]])
    found: Ints = beyond[np.isin(rec[beyond], invalid)]
    return found
