"""The tables of the character sets, read from tables/*.tsv when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from include.marc.charsets.marks import Marks

FOLDER = Path(__file__).parent / "tables"
#: MARC-8 control characters that mean something: where sorting begins and ends again; joiner and non-joiner (codetables.xml, Extended Latin).
CONTROLS = {0x88: "\u0098", 0x89: "\u009c", 0x8D: "\u200d", 0x8E: "\u200c"}
#: Those of ISO 6630 that UNIMARC allows (Manual, Appendix J.3): where what is not sorted begins and ends; half a line down and up (sub-, superscript).
ISO_6630 = {0x88: "\u0098", 0x89: "\u009c", 0x8B: "\u008b", 0x8C: "\u008c"}
UNKNOWN = "\ufffd"


@dataclass(frozen=True)
class CodeSet:
    """94 characters (some places are empty) under codes of seven bits; which of them are diacritics."""

    characters: dict[int, str]
    marks: frozenset[str]


def rows(name: str) -> Iterator[list[str]]:
    """The lines of one table, without comments, as fields."""
    for line in (FOLDER / f"{name}.tsv").read_text(encoding="ascii").splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


@cache
def marc8() -> dict[str, CodeSet]:
    """Every set of single bytes of MARC-8, under the final character of its escape sequence: B, E, N, Q, S, 2, 3, 4, b, g, p."""
    characters: dict[str, dict[int, str]] = {}
    marks: dict[str, set[str]] = {}
    for final, code, character, *combining in rows("marc8"):
        text = chr(int(character, 16))
        characters.setdefault(final, {})[int(code, 16)] = text
        if combining:
            marks.setdefault(final, set()).add(text)
    return {final: CodeSet(found, frozenset(marks.get(final, ()))) for final, found in characters.items()}


@cache
def marc8_marks() -> Marks:
    """The diacritics of all sets of MARC-8."""
    return Marks({mark for found in marc8().values() for mark in found.marks})


@cache
def eacc() -> dict[bytes, str]:
    """East Asian characters (EACC, ANSI/NISO Z39.64), under three bytes of seven bits."""
    return {bytes.fromhex(code): chr(int(character, 16)) for code, character in rows("eacc")}


@cache
def iso(number: str) -> CodeSet:
    """`5426` or `6937`: the right-hand side (G1), under codes of seven bits."""
    found = {int(code, 16) & 0x7F: (chr(int(character, 16)), bool(combining)) for code, character, *combining in rows(f"iso{number}")}
    return CodeSet({code: text for code, (text, _) in found.items()}, frozenset(text for text, mark in found.values() if mark))


def byte_table(g0: CodeSet | None, g1: CodeSet | None, controls: dict[int, str] | None = None) -> str:
    """The character of each of 256 bytes, for `codecs.charmap_decode`: controls and blank stay, g0 (None: ASCII) fills 21-7E, g1 fills A0-FF."""
    table = [chr(byte) if byte <= 0x20 or byte == 0x7F or (g0 is None and byte < 0x80) else UNKNOWN for byte in range(256)]
    for byte, text in (controls or {}).items():
        table[byte] = text
    for code, text in g0.characters.items() if g0 else ():
        table[code] = text
    for code, text in g1.characters.items() if g1 else ():
        table[code | 0x80] = text
    return "".join(table)
