"""Sets in which one byte is one character and no escape changes it: Latin-1, ISO 5426, ISO 6937, UNIMARC's pairs of sets, and MARC-8 as
long as it stays in its basic and extended Latin."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from include.marc.charsets.marks import Marks
from include.marc.charsets.tables import CONTROLS, ISO_6630, UNKNOWN, CodeSet, byte_table, iso, marc8, marc8_marks

SUBSTITUTE = 0x1A


class Letters:
    """Text of a Latin set: nearly all is ASCII, and the same few letters with the same few diacritics come again and again.

    So each letter beyond ASCII (a run of diacritics and what follows it, or one other byte) is decoded once, and kept as UTF-8.
    """

    def __init__(self, table: str, marks: Marks) -> None:
        self._single = Single(table, marks, {}, {})
        signs = b"".join(re.escape(bytes([byte])) for byte in range(0x80, 0x100) if table[byte] in marks.characters)
        # One set of bytes at the beginning, for that is what `re` looks for fastest.
        self._letter = re.compile(rb"([\x80-\xff](?:(?<=[" + signs + b"])[" + signs + b"]*[^\x1f" + signs + b"]?)?)")
        self._known = _Known(lambda letter: self._single.decode(letter).encode("utf-8"))

    def decode(self, joined: bytes) -> str:
        """Joined bytes to joined text, composed."""
        parts = self._letter.split(joined)  # what is between letters, and letters, by turns
        parts[1::2] = map(self._known.__getitem__, parts[1::2])
        return b"".join(parts).decode("utf-8")


class _Known(dict[bytes, bytes]):
    """Letters met so far, and what they are in UTF-8."""

    MOST = 10_000

    def __init__(self, read: Callable[[bytes], bytes]) -> None:
        self._read = read

    def __missing__(self, letter: bytes) -> bytes:
        if len(self) >= self.MOST:
            self.clear()  # no text has so many: these are any bytes
        found = self[letter] = self._read(letter)
        return found


@dataclass(frozen=True)
class Single:
    """A table of 256 characters (U+FFFD: none), its diacritics, and its reverse."""

    table: str
    marks: Marks | None
    reverse: dict[str, int]
    numbers: dict[int, int]
    letters: Letters | None = None

    def decode(self, joined: bytes) -> str:
        """Joined bytes to joined text; composed (NFC) where the set has diacritics, as pymarc does for MARC-8."""
        if self.letters is not None:
            return self.letters.decode(joined)
        text, _ = codecs.charmap_decode(joined, "strict", self.table)
        return unicodedata.normalize("NFC", self.marks.behind(text)) if self.marks else text

    def encode(self, joined: str) -> bytes:
        """Joined text to joined bytes; what the set does not have becomes 0x1A (SUB)."""
        return self.written(self.marks.before(decomposed(joined, self.reverse.__contains__)) if self.marks else joined)

    def written(self, text: str) -> bytes:
        """Text whose diacritics stand where the set has them."""
        try:
            return codecs.charmap_encode(text, "strict", self.numbers)[0]
        except UnicodeEncodeError:
            return bytes([self.reverse.get(character, SUBSTITUTE) for character in text])


def decomposed(joined: str, has: Callable[[str], bool]) -> str:
    """The text with each character that the set does not have taken apart into letter and diacritics."""
    missing = {character for character in set(joined) if not has(character)}
    if not missing:
        return joined
    return joined.translate({ord(character): unicodedata.normalize("NFD", character) for character in missing})


def _latin(table: str, marks: Marks) -> Single:
    return replace(_single(table, marks), letters=Letters(table, marks))


def _single(table: str, marks: Marks | None) -> Single:
    reverse: dict[str, int] = {}
    for byte, character in enumerate(table):
        if character != UNKNOWN:
            reverse.setdefault(character, byte)
            reverse.setdefault(unicodedata.normalize("NFC", character), byte)  # such as U+2126, which is read as U+03A9
    return Single(table, marks, reverse, {ord(character): byte for character, byte in reverse.items()})


@cache
def latin1() -> Single:
    """ISO 8859-1."""
    return _single("".join(map(chr, range(256))), None)


@cache
def marc8_latin() -> Single:
    """MARC-8 without escape sequences: ASCII and extended Latin (ANSEL)."""
    return _latin(byte_table(None, marc8()["E"], CONTROLS), marc8_marks())


@cache
def iso5426() -> Single:
    """ASCII and ISO 5426."""
    found = iso("5426")
    return _latin(byte_table(None, found, ISO_6630), Marks(set(found.marks)))


@cache
def iso6937() -> Single:
    """ASCII and ISO 6937; A0 is the no-break space, FF the soft hyphen."""
    found = iso("6937")
    return _latin(byte_table(None, found), Marks(set(found.marks)))


@cache
def pair(g1: str) -> Single:
    """ASCII with one of MARC-8's sets on the right: how UNIMARC carries Cyrillic (N, Q) and Greek (S)."""
    found: CodeSet = marc8()[g1]
    return _single(byte_table(None, found, ISO_6630), Marks(set(found.marks)) if found.marks else None)
