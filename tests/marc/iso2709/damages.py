"""Ways in which real exports are broken, each as a change of one record's bytes; `lost` ones cannot keep their record readable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.marc.iso import TITLE

Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Damage:
    """`reason`: what the reader says of it (in the issues; of a `lost` record, beside its bytes). None: it is only odd, and read as it is."""

    name: str
    reason: str | None
    change: Change
    lost: bool = False


def base_of(raw: bytes) -> int:
    return raw.index(b"\x1e") + 1


def _swapped(raw: bytes) -> bytes:
    """Two directory entries in another order than their fields."""
    return raw[:24] + raw[36:48] + raw[24:36] + raw[48:]


def _middle_terminator(raw: bytes, instead: bytes) -> bytes:
    at = raw.index(b"\x1e", base_of(raw) + 20)
    return raw[:at] + instead + raw[at + 1 :]


def _after_245a(raw: bytes, extra: bytes) -> bytes:
    at = raw.index(b" /\x1fc")
    return raw[:at] + extra + raw[at:]


def _in_245a(raw: bytes, instead: bytes) -> bytes:
    """Bytes of the title, behind its first letter, overwritten: no length changes."""
    at = raw.index(b"10\x1fa") + 6
    return raw[:at] + instead + raw[at + len(instead) :]


DAMAGES = [
    Damage("length too short", "MARC_LENGTH_WRONG", lambda raw: b"00300" + raw[5:]),
    Damage("length too long", "MARC_LENGTH_WRONG", lambda raw: b"99999" + raw[5:]),
    Damage("length no number", "MARC_LENGTH_WRONG", lambda raw: b"abcde" + raw[5:]),
    Damage("length blank", "MARC_LENGTH_WRONG", lambda raw: b"     " + raw[5:]),
    Damage("base address wrong", "MARC_DIRECTORY_WRONG", lambda raw: raw[:12] + b"00000" + raw[17:]),
    Damage("base address no number", "MARC_DIRECTORY_WRONG", lambda raw: raw[:12] + b"ab de" + raw[17:]),
    Damage("directory in another order", None, _swapped),
    Damage("a field's length wrong", "MARC_DIRECTORY_WRONG", lambda raw: raw[:27] + b"0009" + raw[31:]),
    Damage("a field's place no number", "MARC_DIRECTORY_WRONG", lambda raw: raw[:31] + b"xxxxx" + raw[36:]),
    Damage("a byte lost from the directory", "MARC_DIRECTORY_WRONG", lambda raw: raw[:50] + raw[51:]),
    Damage("a byte too many in the directory", "MARC_DIRECTORY_WRONG", lambda raw: raw[:50] + b"0" + raw[50:]),
    Damage("a tag that is none", "MARC_TAG_INVALID", lambda raw: raw[:36] + b"\xff\x302" + raw[39:]),
    Damage("record terminator missing", "MARC_TERMINATOR_MISSING", lambda raw: raw[:-1]),
    Damage("record terminator inside", "MARC_CONTROL_CHARACTER", lambda raw: _in_245a(raw, b"\x1d")),
    Damage("field terminator overwritten", "MARC_DIRECTORY_WRONG", lambda raw: _middle_terminator(raw, b" ")),
    Damage("field terminator lost", "MARC_DIRECTORY_WRONG", lambda raw: _middle_terminator(raw, b"")),
    Damage("field terminator inside", "MARC_CONTROL_CHARACTER", lambda raw: _in_245a(raw, b"\x1e")),
    Damage("bytes added to a field", "MARC_DIRECTORY_WRONG", lambda raw: _after_245a(raw, "é".encode())),
    Damage("indicators missing", "MARC_INDICATORS_WRONG", lambda raw: raw.replace(b"10\x1fa", b"\x1fa\x1fb", 1)),
    Damage("indicator no ASCII", "MARC_INDICATORS_WRONG", lambda raw: raw.replace(b"10\x1fa", b"\xc31\x1fa", 1)),
    Damage("a code that is none", "MARC_SUBFIELD_CODE", lambda raw: raw.replace(b"10\x1fa", b"10\x1f\x01", 1)),
    Damage("a delimiter with nothing behind", "MARC_SUBFIELD_EMPTY", lambda raw: raw.replace(b" /\x1fc", b" \x1f\x1fc", 1)),
    Damage("a field without subfields", "MARC_FIELD_EMPTY", lambda raw: raw.replace(b" 7\x1fa", b" 7ab", 1)),
    Damage("a control character", "MARC_CONTROL_CHARACTER", lambda raw: _in_245a(raw, b"\x07")),
    Damage("a leader with other letters", "MARC_LEADER_CHARACTER", lambda raw: raw[:6] + b"\xe6" + raw[7:]),
    Damage("UTF-8 said to be MARC-8", "MARC_UTF8_DECLARED_MARC8", lambda raw: raw[:9] + b" " + raw[10:]),
    Damage("MARC-8 said to be UTF-8", "MARC_MARC8_DECLARED_UTF8", lambda raw: raw.replace(TITLE.encode(), b"Caf\xe2e og p\xb5rer..", 1)),
    Damage("bytes of no character set", "MARC_CHARSET_WRONG", lambda raw: _in_245a(raw, b"\xff\xfe"), lost=True),
    Damage("garbage before it", "MARC_NOT_A_RECORD", lambda raw: b"<html>not found</html>" + raw),
    Damage("cut short", "MARC_DIRECTORY_INVALID", lambda raw: raw[:-30] + b"\x1d", lost=True),
    Damage("directory destroyed", "MARC_DIRECTORY_INVALID", lambda raw: raw[:24] + b"#" * 40 + raw[64:], lost=True),
    Damage("a line end before it", None, lambda raw: b"\r\n" + raw),
]
