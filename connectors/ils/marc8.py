"""MARC-8 to Unicode, strictly: what the character sets do not hold is an error, not a blank.

Source: MARC 21 Specifications for Record Structure, Character Sets and Exchange Media, character sets and encoding options, part 2. The code
tables are pymarc's; its own decoder writes to standard error and puts blanks for what it does not know, so the walk over the bytes is ours.
"""

from __future__ import annotations

import re
import unicodedata

from pymarc.marc8_mapping import CODESETS, ODD_MAP

ESCAPE = 0x1B
ASCII, ANSEL, EACC = 0x42, 0x45, 0x31
ALONE = {0x67: 0x67, 0x62: 0x62, 0x70: 0x70, 0x73: ASCII}  # ESC g, b, p: Greek symbols, subscript, superscript; ESC s: back to ASCII
SEQUENCE = re.compile(rb"\x1b(?:(?P<alone>[gbps])|\$(?P<many>[,)-]?)(?P<manyset>1)|(?P<side>[(,)-])!?(?P<one>[0-9A-Za-z]))")


class NotMarc8(ValueError):
    """Bytes that are no MARC-8."""


def decode(data: bytes) -> str:
    """The text, in NFC. Raises NotMarc8 for an escape sequence, character or length that MARC-8 does not have."""
    if data.isascii() and ESCAPE not in data:
        return data.decode("ascii")
    g0, g1, at = ASCII, ANSEL, 0
    out: list[str] = []
    combining: list[str] = []
    while at < len(data):
        byte = data[at]
        if byte == ESCAPE:
            found = SEQUENCE.match(data, at)
            if found is None:
                raise NotMarc8("an escape sequence that MARC-8 does not have")
            at = found.end()
            if found["alone"]:
                g0 = ALONE[found["alone"][0]]
            elif found["manyset"]:
                g0, g1 = (g0, EACC) if found["many"] in (b")", b"-") else (EACC, g1)
            elif found["side"] in (b"(", b","):
                g0 = found["one"][0]
            else:
                g1 = found["one"][0]
            continue
        charset = g1 if byte >= 0x80 else g0
        if byte <= 0x20 or 0x80 <= byte < 0xA0:
            at += 1
            if byte == 0x20:
                out.append(" ")
            elif byte in (0x8D, 0x8E):  # joiner and non-joiner
                out.append("\u200d" if byte == 0x8D else "\u200c")
            out += combining
            combining.clear()
            continue
        width = 3 if charset == EACC else 1
        if at + width > len(data):
            raise NotMarc8("a character is cut short")
        code = int.from_bytes(data[at : at + width], "big")
        at += width
        known = CODESETS.get(charset, {}).get(code)
        if known is None:
            if code not in ODD_MAP:
                raise NotMarc8(f"no character {code:#x} in the character set {chr(charset)}")
            known = (ODD_MAP[code], 0)
        if known[1]:
            combining.append(chr(known[0]))
        else:
            out.append(chr(known[0]))
            out += combining
            combining.clear()
    return unicodedata.normalize("NFC", "".join(out + combining))


def composes(data: bytes) -> bool:
    """Whether every diacritic of ANSEL stands before a letter with which it makes one character: Latin-1 read as MARC-8 seldom does."""
    for pair in re.finditer(rb"[\xe0-\xfe](.?)", data, re.DOTALL):
        base = pair[1]
        if not base.isalpha():
            return False
        known = CODESETS[ANSEL].get(pair[0][0])
        if known is None or len(unicodedata.normalize("NFC", base.decode("ascii") + chr(known[0]))) != 1:
            return False
    return True
