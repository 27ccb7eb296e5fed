"""UNIMARC's escape sequences: sets designated, shifted to, and left at the end of a value."""

from __future__ import annotations

import pyarrow as pa
import pytest

from include.marc.charsets.codecs import Decoded, to_text
from tests.marc.iso import everything, iso

#: Cyrillic and Greek on the right side, and the same codes with seven bits.
PUSHKIN, SOPHIA = b"\xf0\xd5\xdb\xcb\xc9\xce", b"\xd3\xcf\xd6\xc9\xc1"


def decoded(*values: bytes, charset: str = "iso-5426") -> Decoded:
    return to_text(pa.array(values, pa.binary()), charset)


def text(value: bytes, charset: str = "iso-5426") -> str:
    found = decoded(value, charset=charset)
    assert not found.faults
    return str(found.texts[0])


def low(value: bytes) -> bytes:
    return bytes(byte & 0x7F for byte in value)


CYRILLIC, GREEK = text(PUSHKIN, "unimarc-cyrillic"), text(SOPHIA, "unimarc-greek")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Caf\xc2e \x1b)N" + PUSHKIN + b"\x1b)P \xc2e", f"Café {CYRILLIC} é"),  # G1 designated anew, and back
        (b"\x1b-S" + SOPHIA, GREEK),
        (b"\x1b)N\x0e" + low(PUSHKIN) + b"\x0f ok", f"{CYRILLIC} ok"),  # seven bits: SO, SI
        (b"\x1b(N" + low(PUSHKIN) + b"\x1b(B \xc2e", f"{CYRILLIC} é"),  # G0
        (b"\x1b*S\x1b}" + SOPHIA + b"\x1b~\xc2e", f"{GREEK}é"),  # LS2R, LS1R
        (b"\x1b+S\x1b|" + SOPHIA, GREEK),  # LS3R
        (b"\x1b.N\x1bn" + low(PUSHKIN), CYRILLIC),  # LS2
        (b"\x1b/N\x1bo" + low(PUSHKIN), CYRILLIC),  # LS3
        (b"\x1b*N\x8e\xd5x\x1bNUx", f"{CYRILLIC[1]}x{CYRILLIC[1]}x"),  # SS2, with eight and seven bits
        (b"\x1b+N\x8f\xd5x\x1bOUx", f"{CYRILLIC[1]}x{CYRILLIC[1]}x"),  # SS3
        (b"\x1b)BAb\xc1\xe2", "AbAb"),  # ASCII on the right
        (b"\x1bHLe \x1bIlivre, H\x1bK2\x1bLO", "\u0098Le \u009clivre, H\u008b2\u008cO"),  # ISO 6630 with seven bits
        (b"\x88Le \x89livre, H\x8b2\x8cO", "\u0098Le \u009clivre, H\u008b2\u008cO"),
        (b"\xc2\x1b(B\x1b)Pe", "é"),  # a diacritic before an escape still stands before its letter
    ],
)
def test_an_escape_sequence_calls_another_set(value: bytes, expected: str) -> None:
    assert text(value) == expected


def test_an_escape_reaches_to_the_end_of_its_value_and_no_further() -> None:
    assert decoded(b"\x1b)N" + PUSHKIN, b"\xc2e").texts.to_pylist() == [CYRILLIC, "é"]


@pytest.mark.parametrize(
    "value", [b"\x1b)M\xe1", b"\x1b$)1\xe1\xe2\xe3", b"\x1b$AAb", b"\x1bn!", b"\x8e\xc1", b"\x8e", b"a\x1b", b"\x1b%G"]
)
def test_a_set_without_a_table_and_an_escape_that_is_none_are_faults(value: bytes) -> None:
    found = decoded(b"ok", value, b"ok")
    assert list(found.faults) == [1]
    assert found.texts[0].as_py() == found.texts[2].as_py() == "ok"


def record(codes: str, value: bytes) -> bytes:
    general = f"20200101d2020    m  y0frey{codes:8}ba".encode()
    return iso("1", [("100", b"  \x1fa" + general), ("200", b"1 \x1fa" + value)])


@pytest.mark.parametrize(
    ("codes", "value", "expected"),
    [
        ("0103", b"\xc2e \x1b)N" + PUSHKIN, f"é {CYRILLIC}"),
        ("010302", b"\xc2e \x1b}" + PUSHKIN, f"é {CYRILLIC}"),
        ("010302", b"\xc2e \x8e\xd5", f"é {CYRILLIC[1]}"),
        ("0103  05", b"\xc2e \x1b|" + SOPHIA, f"é {GREEK}"),
        ("0102", PUSHKIN + b"\x1b)P \xc2e", f"{CYRILLIC} é"),
    ],
)
def test_what_100_a_names_is_there_to_be_called(codes: str, value: bytes, expected: str) -> None:
    found = everything(record(codes, value), family="unimarc")
    assert found.records[0].fields[2].subfields == [("a", expected)]
    assert not found.issues


def test_utf_8_under_the_name_of_sets_is_still_seen() -> None:
    found = everything(record("010302", "Ŏ été".encode()), family="unimarc")  # C5 8E: a single shift's byte inside a character
    assert found.records[0].fields[2].subfields == [("a", "Ŏ été")]
    assert found.reasons == {"MARC_UTF8_DECLARED_OTHER": 1}


def test_a_record_with_a_set_that_we_do_not_have_is_set_aside_or_replaced_and_told() -> None:
    content = record("0103", b"abc \x1b)M\xe1")
    assert everything(content, family="unimarc").refusals == {"MARC_CHARSET_WRONG": 1}
    replaced = everything(content, family="unimarc", undecodable="replace")
    assert replaced.records[0].fields[2].subfields == [("a", "abc �")]
    assert replaced.reasons == {"MARC_CHARACTER_REPLACED": 1}
