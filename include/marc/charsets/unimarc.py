"""UNIMARC's sets with escape sequences: other sets designated and shifted to in the middle of a value, as ISO 2022 has it.

Source: UNIMARC Manual, Bibliographic Format, Appendix J (ISO 646 is always G0; 100 $a/28-33 name G1, G2 and G3; control functions of ISO
6630, with seven bits as ESC and a letter); ISO/IEC 2022, 7.3 and 14 (shifts, designations); final characters by the ISO International
Register of Coded Character Sets, 6, 37, 53, 54 and 55. Each value begins anew. Sets without a table (African, Georgian, Hebrew, of several
bytes) can be designated, and what is read in them is U+FFFD.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import cache

from include.marc.charsets.marks import Marks
from include.marc.charsets.single import Single, iso5426, pair
from include.marc.charsets.tables import ISO_6630, UNKNOWN, CodeSet, byte_table, iso, marc8

ASCII, LATIN = "B", "P"
#: What 100 $a calls each set, and the final character of its escape sequence.
FINALS = {"01": ASCII, "02": "N", "03": LATIN, "04": "Q", "05": "S", "11": LATIN}
NOTHING = CodeSet({}, frozenset())
#: Bytes below 80 that make a value more than ASCII: ESC, SO, SI.
SHIFTS = b"\x1b\x0e\x0f"
_SIDES = {"(": 0, ",": 0, ")": 1, "-": 1, "*": 2, ".": 2, "+": 3, "/": 3, "": 0}
#: Locking shifts: what is called, and to which side.
_LOCKS = {
    b"\x0f": (0, "left"), b"\x0e": (1, "left"), b"\x1bn": (2, "left"), b"\x1bo": (3, "left"),
    b"\x1b~": (1, "right"), b"\x1b}": (2, "right"), b"\x1b|": (3, "right"),
}  # fmt: skip
TOKEN = re.compile(
    rb"\x1f|\x1b(?P<many>\$?)(?P<side>[(),*+./-])(?P<final>!?[0-~])|\x1b\$(?P<plain>[@-B])|(?P<lock>[\x0e\x0f]|\x1b[no|}~])"
    rb"|(?P<single>\x8e|\x8f|\x1b[NO])(?P<one>[^\x1b\x1f]?)|\x1b(?P<control>[HIKL])|(?P<bad>\x1b)|(?P<run>[^\x0e\x0f\x1b\x1f\x8e\x8f]+)"
)
_ANY = re.compile(rb"[\x0e\x0f\x1b\x8e\x8f]")


def decode(joined: bytes, g1: str) -> str:
    """Joined bytes to joined text, composed (NFC). `g1`: the final character of the set on the right (N, P, Q, S)."""
    if not _ANY.search(joined):
        return plain(g1).decode(joined)
    out: list[str] = []
    sets, left, right = [ASCII, g1, "", ""], 0, 1
    for token in TOKEN.finditer(joined):
        if (run := token["run"]) is not None:
            out.append(_read(run, sets[left], sets[right]))
        elif token["final"]:
            sets[_SIDES[token["side"].decode()]] = "" if token["many"] else token["final"].decode()
        elif token["plain"]:
            sets[0] = ""
        elif token["lock"]:
            called, side = _LOCKS[token["lock"]]
            left, right = (called, right) if side == "left" else (left, called)
        elif token["single"]:
            only = sets[2 if token["single"] in (b"\x8e", b"\x1bN") else 3]
            out.append(_read(token["one"], only, only) or UNKNOWN)
        elif token["control"]:
            out.append(ISO_6630[token["control"][0] + 0x40])
        elif token["bad"]:
            out.append(UNKNOWN)
        else:
            out.append("\x1f")
            sets, left, right = [ASCII, g1, "", ""], 0, 1
    return unicodedata.normalize("NFC", _marks().behind("".join(out)))


def designations(codes: bytes) -> bytes:
    """The escape sequences that say the same as 100 $a/30-33, which name G2 and G3; nothing where they name none."""
    found = b""
    for place, side in ((0, b"*"), (2, b"+")):
        code = codes[place : place + 2].decode("latin-1")
        if code.strip():
            found += b"\x1b" + side + FINALS.get(code, "~").encode()
    return found


def _read(run: bytes, left: str, right: str) -> str:
    return codecs.charmap_decode(run, "strict", _table(left, right))[0]


@cache
def plain(g1: str) -> Single:
    """The two sets of a record that has no escapes."""
    return iso5426() if g1 == LATIN else pair(g1)


@cache
def _table(left: str, right: str) -> str:
    g0 = None if left == ASCII else _set(left)
    return byte_table(g0, _ascii() if right == ASCII else _set(right), ISO_6630)


@cache
def _set(final: str) -> CodeSet:
    return iso("5426") if final == LATIN else marc8()[final] if final in ("N", "Q", "S") else NOTHING


@cache
def _ascii() -> CodeSet:
    return CodeSet({code: chr(code) for code in range(0x21, 0x7F)}, frozenset())


@cache
def _marks() -> Marks:
    return Marks({mark for final in ("N", LATIN, "Q", "S") for mark in _set(final).marks})
