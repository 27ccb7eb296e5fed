"""Records that are spelled plainly into rows, many at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from include.marc.batch import LEADER_LENGTH, Bools, Ints
from include.marc.iso2709 import engine
from include.marc.iso2709.directory import tag_index
from include.marc.iso2709.subfields import cut
from include.marc.iso2709.texts import NOTHING
from include.marc.iso2709.texts import Places as Texts
from include.marc.marcxml import compiled
from include.marc.marcxml.dialect import Dialect, Kind
from include.marc.marcxml.shapes import HIGH, REFERS, Places
from include.marc.marcxml.spans import Spans
from include.marc.marcxml.tokens import Tokens

#: What indicators and codes are in a record spelled plainly, and 0 where a row has none; what a tag's characters are.
PRINTED = np.zeros(256, np.bool_)
PRINTED[0x20:0x7F] = True
PRINTED[list(b"\"'<>&")] = False
PRINTED[0] = True
#: Stands for a byte that is no character, or NUL, which would say that a row has no indicator or code: its record needs a closer look.
NONE = 127
ALNUM = np.array([chr(byte).isalnum() and byte < 128 for byte in range(256)])
BELOW_010 = ord("0") | ord("0") << 8
AMPERSAND, RETURN = 0x26, 0x0D
REFERENCE = re.compile(rb"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));|\r\n?|&")
NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
#: Byte sequences that no XML text holds: U+FFFE, U+FFFF (XML 1.0, production 2) and the end of a CDATA section (production 14).
NEVER = (b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"]]>")


@dataclass(frozen=True)
class Plain:
    """Rows with their texts. `odd`: records, by their index among those given, that need a closer look; their rows say nothing."""

    places: Places
    value: pa.BinaryArray
    odd: Ints


def rows(
    buffer: Ints, end: int, found: Tokens, spans: Spans, which: Ints, dialect: Dialect, wanted: Bools | None, subfields_below_010: bool
) -> Plain:
    """The rows of the spans `which`, all of them plain. `wanted`: by tag_index, the tags that are asked for.
    `subfields_below_010`: as danMARC2 has them."""
    first, last = spans.first[which], spans.last[which]
    library = compiled.functions()
    if library is None:
        at = places(buffer, first, last, found, dialect, wanted, subfields_below_010)
    else:
        tokens = (found.at, found.kind, found.template)
        at = compiled.places(library, buffer, first, last, tokens, dialect, wanted, subfields_below_010)
    value, odd = _text(buffer[: end + 1], at)
    return Plain(at, value, np.unique(np.concatenate([at.odd, odd])))


def places(
    buffer: Ints, first: Ints, last: Ints, found: Tokens, dialect: Dialect, wanted: Bools | None, subfields_below_010: bool
) -> Places:
    """The rows of the records from token `first` to token `last` each, with NumPy."""
    edge = np.zeros(len(found.at) + 1, np.int8)
    edge[first] += 1
    edge[last] -= 1
    inside = np.flatnonzero(np.cumsum(edge[:-1]))
    kind, at = found.kind[inside], found.at[inside]
    rec = np.cumsum(kind == Kind.RECORD, dtype=np.int32) - np.int32(1)
    is_field = (kind == Kind.CONTROL) | (kind == Kind.DATA)
    field = np.cumsum(is_field, dtype=np.int32)  # fields up to and with this token
    is_leader = kind == Kind.LEADER
    row = np.flatnonzero(is_leader | (kind == Kind.CONTROL) | (kind == Kind.SUBFIELD))
    fields = np.flatnonzero(is_field)
    template = found.template[inside]
    key, ind1, ind2 = _of_fields(buffer, at[fields], template[fields], dialect)
    strange = ~(ALNUM[key & 0xFF] & ALNUM[key >> 8 & 0xFF] & ALNUM[key >> 16] & PRINTED[ind1] & PRINTED[ind2])[:-1]
    if not subfields_below_010:
        strange |= ((key[:-1] & 0xFFFF) == BELOW_010) & (ind1[:-1] != 0)
    codes = _codes(buffer, at, template, dialect)
    unknown = (codes < 128) & ~PRINTED[codes & 0x7F] | (codes == ord(" "))
    if wanted is not None:
        asked = np.append(wanted[tag_index(key)], True)
        row = row[is_leader[row] | asked[field[row] - 1]]
    of, lead = field[row] - 1, is_leader[row]
    before = field[is_leader]  # fields before each record
    length = np.array([len(one.text) for one in dialect.templates], np.int64)
    return Places(
        rec=rec[row],
        key=np.where(lead, 0, key[of]).astype(np.uint32),
        seq=np.where(lead, 0, field[row] - before[rec[row]]).astype(np.int32),
        ind1=np.where(lead, 0, ind1[of]).astype(np.uint8),
        ind2=np.where(lead, 0, ind2[of]).astype(np.uint8),
        code=codes[row],
        start=(at[row] + length[template[row]]).astype(np.int32),
        stop=found.at[inside[row] + 1].astype(np.int32),
        odd=np.unique(np.concatenate([rec[fields[strange]], rec[unknown]])),
    )


def _of_fields(buffer: Ints, at: Ints, template: Ints, dialect: Dialect) -> tuple[Ints, Ints, Ints]:
    """Tag and indicators of each field, from the places that its template has them in. A control field's indicators are 0."""
    key, ind1, ind2 = np.zeros(len(at) + 1, np.uint32), np.zeros(len(at) + 1, np.uint8), np.zeros(len(at) + 1, np.uint8)
    for number, one in enumerate(dialect.templates):
        if one.kind not in (Kind.CONTROL, Kind.DATA):
            continue
        mine = np.flatnonzero(template == number)
        place = at[mine] + one.places[b"tag"][0]
        key[mine] = buffer[place] | buffer[place + 1].astype(np.uint32) << 8 | buffer[place + 2].astype(np.uint32) << 16
        if one.kind == Kind.DATA:
            for name, indicator in ((b"ind1", ind1), (b"ind2", ind2)):
                found = buffer[at[mine] + one.places[name][0]] if name in one.places else ord(" ")
                indicator[mine] = np.where(found, found, NONE)
    return key, ind1, ind2


def _codes(buffer: Ints, at: Ints, template: Ints, dialect: Dialect) -> Ints:
    """The code of each token that is a subfield, 0 of all others."""
    code = np.zeros(len(at), np.uint16)
    for number, one in enumerate(dialect.templates):
        if one.kind == Kind.SUBFIELD:
            mine = np.flatnonzero(template == number)
            place, width = one.places[b"code"]
            first = buffer[at[mine] + place].astype(np.uint16)
            if width == 1:
                code[mine] = np.where((first > 0) & (first < 128), first, NONE)
            else:
                code[mine] = (first & 0x1F) << 6 | (buffer[at[mine] + place + 1] & 0x3F)
    return code


def _text(area: Ints, at: Places) -> tuple[pa.BinaryArray, Ints]:
    """Values with references resolved and line ends as XML reads them; and the records that need a closer look."""
    odd: set[int] = set()
    if at.flags is None:
        refers, flags = _looked_through(cut(area, at.start, at.stop), at.rec, odd), np.full(len(at.rec), HIGH, np.uint8)
    else:
        refers, flags = np.flatnonzero((at.flags & REFERS) != 0), at.flags
    texts = Texts(area, NOTHING, at.start, at.stop)
    if len(refers):
        texts = texts.patched(refers, _resolved(texts.values(refers), at.rec[refers], odd))
    value, wrong = engine.values(texts.area, texts.other, texts.start, texts.end, flags)
    lead = np.flatnonzero(at.seq == 0)
    odd.update(at.rec[lead[texts.end[lead] - texts.start[lead] != LEADER_LENGTH]].tolist())
    odd.update(at.rec[wrong].tolist())
    return value, np.array(sorted(odd), np.int64)


def _looked_through(value: pa.BinaryArray, rec: Ints, odd: set[int]) -> Ints:
    """Rows with references or line ends to resolve; records with characters that no XML text has go into `odd`."""
    offsets = np.frombuffer(value.buffers()[1], np.int32)[: len(value) + 1]
    data = np.frombuffer(value.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    low = data < 32
    if low.any():
        control = np.flatnonzero(low & (data != 9) & (data != 10) & (data != 13))
        odd.update(rec[np.searchsorted(offsets, control, side="right") - 1].tolist())
    raw = data.tobytes()
    for never in NEVER:
        place = raw.find(never)
        while place >= 0:
            odd.add(int(rec[np.searchsorted(offsets, place, side="right") - 1]))
            place = raw.find(never, place + 1)
    special = np.flatnonzero((data == AMPERSAND) | (data == RETURN))
    rows: Ints = np.unique(np.searchsorted(offsets, special, side="right") - 1)
    return rows


def _resolved(values: pa.BinaryArray, rec: Ints, odd: set[int]) -> pa.BinaryArray:
    texts = values.to_pylist()
    for index, text in enumerate(texts):
        try:
            texts[index] = REFERENCE.sub(_character, text)
        except ValueError:
            odd.add(int(rec[index]))
    return pa.array(texts, pa.binary())


def _character(found: re.Match[bytes]) -> bytes:
    named, decimal, hexadecimal = found.groups()
    if named:
        return NAMED[named]
    if decimal or hexadecimal:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        if (code < 32 and code not in (9, 10, 13)) or code in (0xFFFE, 0xFFFF):
            raise ValueError("a character that XML does not have")
        return chr(code).encode("utf-8")  # a surrogate raises, and so does a number above U+10FFFF
    if found[0] == b"&":
        raise ValueError("a reference that nobody declared")
    return b"\n"
