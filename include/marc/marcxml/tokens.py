"""Every `<` of a stretch of XML: where it is, and what it begins."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from include.engine.errors import Refused
from include.marc.batch import Bools, Ints
from include.marc.marcxml import compiled
from include.marc.marcxml.dialect import CLOSING, Dialect, Kind, same, words

STEP = 1 << 18
LT, SLASH, BANG, QUESTION = 0x3C, 0x2F, 0x21, 0x3F
#: So many tags of unknown spelling are looked at, in each stretch, for new templates.
LOOKS = 200
#: So many bytes are looked at for them before anything else is.
FIRST = 1 << 14
NAMES = (b"subfield", b"datafield", b"controlfield", b"leader")
HIDING = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
DTD = (b"<!DOCTYPE", b"<!ENTITY", b"<!ELEMENT", b"<!ATTLIST")
BLANK = np.zeros(256, np.bool_)
BLANK[[9, 10, 13, 32]] = True


@dataclass(frozen=True)
class Tokens:
    """`at`: places of `<`, rising; `kind`: Kind of each; `template`: number in the dialect's templates, for opening tags of fields.

    Those inside comments, CDATA sections and processing instructions are left out. `hidden_from`: where one of these begins that
    does not end in this stretch; else its length.
    """

    at: Ints
    kind: Ints
    template: Ints
    hidden_from: int

    def trace(self, eight: Ints, dialect: Dialect, which: Ints) -> Bools:
        """Of the tokens `which`, those that are the beginning or the end of a field, however it is spelled."""
        kind, at = self.kind[which], self.at[which]
        found: Bools = kind > Kind.RECORD_END
        other = np.flatnonzero(kind == Kind.OTHER)
        for prefix in dialect.prefixes:
            for name in NAMES:
                for opening in (b"<", b"</"):
                    found[other] |= same(eight, at[other], opening + prefix + name)
        return found


def tokens(buffer: Ints, end: int, dialect: Dialect, *, last: bool, where: str) -> Tokens:
    """The tokens of buffer[:end]. `last`: nothing comes behind. New spellings are learned. Raises Refused (XML_DTD)."""
    library = compiled.functions()
    at, kind, template = _told(buffer, end, dialect) if library is None else _told_by(library, buffer, end, dialect)
    other = np.flatnonzero(kind == Kind.OTHER)
    second = buffer[at[other] + 1]
    odd = other[(second == BANG) | (second == QUESTION)]
    if not len(odd):
        return Tokens(at, kind, template, end)
    seen, hidden_from = _seen(buffer, end, at, odd, last=last, where=where)
    return Tokens(at[seen], kind[seen], template[seen], hidden_from)


def _told_by(library: ctypes.CDLL, buffer: Ints, end: int, dialect: Dialect) -> tuple[Ints, Ints, Ints]:
    """Place, kind and template of every `<`, by the compiled kernel; again as long as there are new spellings."""
    if not dialect.templates:  # a file's first tags: nearly all spellings are among them
        at, _, _ = compiled.tokens(library, buffer, min(end, FIRST), dialect)
        for place in at[buffer[at + 1] != SLASH].tolist():
            dialect.learn(buffer.data, place)
    while True:
        at, kind, template = compiled.tokens(library, buffer, end, dialect)
        for number, one in enumerate(dialect.templates):
            if one.wide:
                found = np.flatnonzero(template == number)
                wrong = found[~_is_two_bytes(buffer, at[found] + one.places[b"code"][0])]
                kind[wrong], template[wrong] = Kind.OTHER, -1
        rest = np.flatnonzero(kind == Kind.OTHER)
        rest = rest[buffer[at[rest] + 1] != SLASH]
        if not any(dialect.learn(buffer.data, place) for place in at[rest[:LOOKS]].tolist()):
            return at, kind, template


def _told(buffer: Ints, end: int, dialect: Dialect) -> tuple[Ints, Ints, Ints]:
    """The same with NumPy."""
    at = _places(buffer, end)
    eight = words(buffer)
    kind, template = np.zeros(len(at), np.int8), np.full(len(at), -1, np.int8)
    closing = buffer[at + 1] == SLASH
    opening = np.flatnonzero(~closing)
    _learn_first(buffer, at, opening, dialect)
    _ends(buffer, eight, at, np.flatnonzero(closing), dialect, kind)
    _begins(buffer, eight, at, opening, dialect, kind, template)
    return at, kind, template


def _is_two_bytes(buffer: Ints, at: Ints) -> Bools:
    """Where a character of two bytes of UTF-8 stands."""
    lead, second = buffer[at], buffer[at + 1]
    found: Bools = (lead >= 0xC2) & (lead < 0xE0) & (second & 0xC0 == 0x80)
    return found


def _places(buffer: Ints, end: int) -> Ints:
    found = [np.flatnonzero(buffer[at : min(at + STEP, end)] == LT) + at for at in range(0, end, STEP)]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _seen(buffer: Ints, end: int, at: Ints, odd: Ints, *, last: bool, where: str) -> tuple[Bools, int]:
    """Which tokens are not inside of something that hides them; and where something begins that does not end."""
    data = buffer[:end].tobytes()
    seen = np.ones(len(at), np.bool_)
    upto = 0
    for place in at[odd].tolist():
        if place < upto:
            continue
        if data.startswith(DTD, place):
            raise Refused("the XML has a document type declaration", where=where, do="Deliver it without.", code="XML_DTD")
        for opens, closes in HIDING:
            if data.startswith(opens, place):
                upto = data.find(closes, place + len(opens)) + len(closes)
                if upto < len(closes):
                    if not last:
                        return seen & (at < place), place
                    upto = 0
                else:
                    seen[np.searchsorted(at, place) + 1 : np.searchsorted(at, upto)] = False
    return seen, end


def _learn_first(buffer: Ints, at: Ints, opening: Ints, dialect: Dialect) -> None:
    """A file's first tags, before anything is known."""
    if not dialect.templates:
        view = buffer.data
        for place in at[opening[:LOOKS]].tolist():
            dialect.learn(view, place)


def _ends(buffer: Ints, eight: Ints, at: Ints, closing: Ints, dialect: Dialect, kind: Ints) -> None:
    for prefix in dialect.prefixes:
        for text, which in CLOSING.items():
            rest = closing[kind[closing] == Kind.OTHER]
            kind[rest[same(eight, at[rest], b"</" + prefix + text)]] = which
        rest = closing[kind[closing] == Kind.OTHER]
        name = b"</" + prefix + b"record"
        found = rest[same(eight, at[rest], name)]
        behind = at[found] + len(name)
        kind[found[(buffer[behind] == 0x3E) | (BLANK[buffer[behind]] & _closes(buffer, behind))]] = Kind.RECORD_END


def _closes(buffer: Ints, at: Ints) -> Bools:
    """Whether only blanks stand between each place and the next `>`."""
    found = np.zeros(len(at), np.bool_)
    for index, place in enumerate(at.tolist()):
        if BLANK[buffer[place]]:
            found[index] = buffer[place : place + 80].tobytes().lstrip(b" \t\r\n").startswith(b">")
    return found


def _begins(buffer: Ints, eight: Ints, at: Ints, opening: Ints, dialect: Dialect, kind: Ints, template: Ints) -> None:
    rest = opening
    for prefix in dialect.prefixes:
        name = b"<" + prefix + b"record"
        found = rest[same(eight, at[rest], name)]
        behind = buffer[at[found] + len(name)]
        kind[found[(behind == 0x3E) | BLANK[behind]]] = Kind.RECORD
    rest = rest[kind[rest] == Kind.OTHER]
    number = 0
    while number < len(dialect.templates):
        rest = _compare(buffer, eight, at, rest, dialect, number, kind, template)
        number += 1
        if number == len(dialect.templates):
            view = buffer.data
            any(dialect.learn(view, place) for place in at[rest[:LOOKS]].tolist())


def _compare(buffer: Ints, eight: Ints, at: Ints, rest: Ints, dialect: Dialect, number: int, kind: Ints, template: Ints) -> Ints:
    """Mark the tokens of `rest` that are spelled as template `number`; what remains."""
    one = dialect.templates[number]
    places = at[rest]
    near = buffer[places + 1 + len(one.prefix)] == one.text[1 + len(one.prefix)]  # the first letter of the name rules most out
    found = np.flatnonzero(near)
    found = found[same(eight, places[found], one.text, one.wild)]
    if one.wide:
        found = found[_is_two_bytes(buffer, places[found] + one.places[b"code"][0])]
    kind[rest[found]], template[rest[found]] = one.kind, number
    left = np.ones(len(rest), np.bool_)
    left[found] = False
    return rest[left]
