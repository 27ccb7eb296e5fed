"""MARC-8: Latin without escapes in one step (single.marc8_latin); with escapes, run by run between them.

Source: MARC 21 Specifications for Record Structure, Character Sets and Exchange Media, Character Sets and Encoding Options, part 2. Each
value begins in ASCII (G0) and extended Latin (G1). East Asian characters (EACC) are three bytes each.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import cache

from include.marc.charsets.single import decomposed, marc8_latin
from include.marc.charsets.tables import CONTROLS, UNKNOWN, byte_table, eacc, marc8, marc8_marks

SEPARATOR = 0x1F
ESCAPE = b"\x1b"
LOST = {"B": b"\x1a"}
#: Blank and control characters are the same in every set of single bytes.
STAYS = frozenset(map(chr, (*range(0x1B), *range(0x1C, 0x1F), 0x20, 0x7F)))
NOT_EACC = frozenset((*range(0x21), 0x7F))
EACC = "1"
#: ESC g, b, p (alone) and s; ESC $ [,)-] 1; ESC ( , ) - with a final character, which may stand behind "!".
TOKEN = re.compile(
    rb"\x1f|\x1b(?:(?P<alone>[gbps])|\$(?P<many>[,)$-]?)1|(?P<side>[(,)-])!?(?P<one>[234BENQS1bgps]))|(?P<bad>\x1b)|(?P<run>[^\x1b\x1f]+)"
)
#: Three bytes of EACC on either side, or one that is not. 7F and two bytes is how some systems write what EACC lacks (pymarc's ODD_MAP).
THREE = re.compile(
    rb"[\x21-\x7e][\x20-\x7e]{2}|[\xa1-\xfe][\xa0-\xfe]{2}|\x7f[\x20\x21][\x14\x19\x20\x22]|[\x00-\x20\x7f]|[\x80-\xa0\xff]|.", re.DOTALL
)


def decode(joined: bytes) -> str:
    """Joined bytes to joined text, composed (NFC); U+FFFD stands for what MARC-8 does not have."""
    if ESCAPE not in joined:
        return marc8_latin().decode(joined)
    out: list[str] = []
    g0, g1 = "B", "E"
    for token in TOKEN.finditer(joined):
        if (run := token["run"]) is not None:
            out.append(_run(run, g0, g1))
        elif token["alone"]:
            g0 = "B" if token["alone"] == b"s" else token["alone"].decode()
        elif token["one"]:
            final = token["one"].decode()
            final = "B" if final == "s" else final
            g0, g1 = (final, g1) if token["side"] in b"(," else (g0, final)
        elif token["bad"]:
            out.append(UNKNOWN)
        elif token[0][0] == SEPARATOR:
            out.append("\x1f")
            g0, g1 = "B", "E"
        else:  # ESC $ 1 and its like
            g0, g1 = (g0, EACC) if token["many"] in (b")", b"-") else (EACC, g1)
    return unicodedata.normalize("NFC", marc8_marks().behind("".join(out)))


def _run(run: bytes, g0: str, g1: str) -> str:
    if EACC not in (g0, g1):
        return codecs.charmap_decode(run, "strict", _table(g0, g1))[0]
    return "".join([_character(piece, g0, g1) for piece in THREE.findall(run)])


def _character(piece: bytes, g0: str, g1: str) -> str:
    """One to three bytes where one of the sets is EACC: three bytes are a character of it if the set on their side is."""
    side = g1 if piece[0] >= 0x80 else g0
    if side != EACC or (len(piece) == 1 and piece[0] & 0x7F in NOT_EACC):
        return codecs.charmap_decode(piece, "strict", _table(g0, g1))[0]
    return eacc().get(bytes(byte & 0x7F for byte in piece), UNKNOWN)


@cache
def _table(g0: str, g1: str) -> str:
    sets = marc8()
    return byte_table(None if g0 == "B" else sets.get(g0), sets.get(g1), CONTROLS)


@cache
def _reverse() -> dict[str, dict[str, bytes]]:
    """Character -> set -> its bytes there: ASCII and extended Latin first, then the small sets, EACC last."""
    found: dict[str, dict[str, bytes]] = {chr(byte): {"B": bytes([byte])} for byte in range(0x80) if byte not in (0x1B, SEPARATOR)}
    for text, byte in ((text, byte) for byte, text in CONTROLS.items()):
        found.setdefault(text, {})["E"] = bytes([byte])
    for final in ("E", "N", "Q", "S", "2", "3", "4", "b", "p", "g"):
        for code, character in marc8()[final].characters.items():
            text = unicodedata.normalize("NFC", character)
            found.setdefault(text, {}).setdefault(final, bytes([code | 0x80 if final == "E" else code]))
    for three, character in eacc().items():
        if three[0] == 0x7F:
            continue
        text = unicodedata.normalize("NFC", character)
        found.setdefault(text, {}).setdefault(EACC, three)
    return found


def encode(joined: str) -> bytes:
    """Joined text to joined bytes; other sets are called into G0 and left again before the value ends. 0x1A stands for what MARC-8 lacks."""
    text = marc8_marks().before(decomposed(joined, _reverse().__contains__))
    latin, beyond = marc8_latin(), _beyond_latin()
    out, at = [], 0
    while found := beyond.search(text, at):  # the next value that is not all in the two sets that need no escape
        start, stop = text.rfind("\x1f", 0, found.start()) + 1, text.find("\x1f", found.end())
        stop = len(text) if stop < 0 else stop
        out += [latin.written(text[at:start]), _escaped(text[start:stop])]
        at = stop
    return b"".join([*out, latin.written(text[at:])])


@cache
def _beyond_latin() -> re.Pattern[str]:
    return re.compile("[^" + "".join(map(re.escape, sorted(marc8_latin().reverse))) + "\x1f]")


def _escaped(value: str) -> bytes:
    known = _reverse()
    out = bytearray()
    now = "B"
    for character in value:
        sets = known.get(character, LOST)
        if now in sets or "E" in sets or (character in STAYS and now != EACC):
            out += sets.get(now) or sets.get("E") or character.encode()
            continue
        final, code = next(iter(sets.items()))
        out += _leave(now) if final == "B" else _enter(final, now)
        out += code
        now = final
    return bytes(out + _leave(now))


def _leave(now: str) -> bytes:
    return b"" if now == "B" else b"\x1bs" if now in "bgp" else b"\x1b(B"


def _enter(final: str, now: str) -> bytes:
    left = b"\x1bs" if now in "bgp" else b""
    return left + (b"\x1b" + final.encode() if final in "bgp" else b"\x1b$1" if final == EACC else b"\x1b(" + final.encode())
