"""danMARC2's character set: Latin-1, and `@` before what is more: `@XXXX` (a character by its four hexadecimal digits), `@å` and `@Å`
(aa that is sorted as å), `@@`, `@*`, `@¤`. In line format `*` begins a
subfield and is written `@*`; elsewhere it is itself.

Source: danMARC2 (kat-format.dk), appendix on the character set; agreed with Index Data's danmarc converter. A diacritic that is written by its number
stands before its letter, as in MARC-8. Nothing is composed, so that the way back gives the same bytes. The spacing accents of Latin-1
(´ ¨ ¯ ¸) are left as they are: they also stand for apostrophes.
"""

from __future__ import annotations

import re
import unicodedata

from include.marc.charsets.marks import Marks
from include.marc.charsets.tables import UNKNOWN

ESCAPED = re.compile(r"@([0-9A-Fa-f]{4})|@([@*¤])|@([åÅ])")
AA = {"å": "\ua733", "Å": "\ua732"}
BACK = {ord("@"): "@@", ord("\ua733"): "@å", ord("\ua732"): "@Å"}
MARKS = Marks(
    {chr(code) for code in range(0x300, 0x3100) if unicodedata.combining(chr(code))} | {chr(code) for code in range(0xFE20, 0xFE30)}
)


def decode(joined: bytes) -> str:
    """Joined bytes to joined text. A `@` that begins no escape (an address, say) is itself."""
    text = joined.decode("latin-1")
    return MARKS.behind(ESCAPED.sub(_character, text)) if "@" in text else text


def decode_utf8(joined: bytes) -> str:
    """The same where the letters themselves are UTF-8 (and diacritics stand as in Unicode); U+FFFD for what is none."""
    return ESCAPED.sub(_character, joined.decode("utf-8", "replace"))


def _character(found: re.Match[str]) -> str:
    digits, itself, aa = found.groups()
    if digits:
        character = chr(int(digits, 16))
        return UNKNOWN if "\ud800" <= character <= "\udfff" or character == "\x1f" else character
    return itself or AA[aa]


def encode(joined: str) -> bytes:
    """Joined text to joined bytes; 0x1A stands for characters beyond U+FFFF, which four digits cannot name."""
    text = MARKS.before(joined).translate(BACK)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return "".join(_escaped(character) if character > "\xff" else character for character in text).encode("latin-1")


def encode_utf8(joined: str) -> bytes:
    """The same with UTF-8 for all letters."""
    return joined.translate(BACK).encode("utf-8")


def _escaped(character: str) -> str:
    return f"@{ord(character):04X}" if character <= "\uffff" else "\x1a"
