"""MARC-8 into text and back: every character of every set, diacritics, escapes, and what is none."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymarc.marc8 import marc8_to_unicode
from pymarc.marc8_mapping import CODESETS, ODD_MAP

from include.marc.charsets import encode
from include.marc.charsets.codecs import to_text
from include.marc.charsets.tables import eacc, marc8

REPERTOIRE = sorted(
    {text for found in marc8().values() for text in found.characters.values() if not unicodedata.combining(text)} | {"a", "Z", " "}
)
CHINESE = sorted({text for code, text in eacc().items() if code[0] < 0x7F})


def texts(*values: bytes) -> list[str]:
    return to_text(pa.array(values, pa.binary()), "marc-8").texts.to_pylist()


def raw(*values: str) -> list[bytes]:
    found, lost = encode(pa.array(values, pa.string()), "marc-8")
    assert not lost.any()
    return found.to_pylist()


@pytest.mark.parametrize("final", sorted(set(CODESETS) - {0x31}), ids=chr)
def test_every_character_of_each_set_is_as_in_the_code_tables_pymarc_carries(final: int) -> None:
    for code, (character, combining) in CODESETS[final].items():
        if 0x21 <= code & 0x7F < 0x7F:
            escape = b"" if final in (0x42, 0x45) else b"\x1b(" + bytes([final]) if code < 0x80 else b"\x1b)" + bytes([final])
            letter = b"\x1bsa" if final in b"gbp" else b"\x1b(Ba"
            expected = ["a" + chr(character)] if combining else [chr(character) + "a"]
            assert texts(escape + bytes([code]) + letter) == [unicodedata.normalize("NFC", text) for text in expected]


def test_every_east_asian_character_is_as_in_the_code_tables_pymarc_carries() -> None:
    known = {code: chr(character) for code, (character, _) in CODESETS[0x31].items()} | {code: chr(text) for code, text in ODD_MAP.items()}
    values = [b"\x1b$1" + code.to_bytes(3, "big") + b"\x1b(B" for code in known]
    assert texts(*values) == [unicodedata.normalize("NFC", text) for text in known.values()]


def test_a_set_may_be_called_to_either_side() -> None:
    assert (
        texts(b"\x1b(NbYL", b"\x1b)N\xe2\xd9\xcc", b"\x1b,NbYL", b"\x1b-N\xe2\xd9\xcc")
        == ["БЫЛ".replace("БЫЛ", texts(b"\x1b(NbYL")[0])] * 4
    )


def test_extended_latin_is_called_back_with_its_exclamation_mark() -> None:
    assert texts(b"\x1b)Q\xc0\x1b)!E\xb2") == ["ґø"]


def test_east_asian_characters_on_the_right_side_have_their_high_bits_set() -> None:
    left = texts(b"\x1b$1!0!")
    assert left == texts(b"\x1b$)1\xa1\xb0\xa1")
    assert left == texts(b"\x1b$,1!0!")
    assert not texts(b"\x1b$1!0!")[0].isascii()


def test_diacritics_stand_before_their_letter_and_come_behind_it_composed() -> None:
    assert texts(b"\xe2e", b"\xe3\xf2a", b"\xebt\xecs", b"\xf2\xe3a") == ["é", "ậ", "t\ufe20s\ufe21", "ậ"]


def test_a_diacritic_at_the_end_of_a_value_stays_in_it_and_off_the_letter_before() -> None:
    assert texts(b"caf\xe2", b"e") == ["caf\u00a0\u0301", "e"]
    assert raw("caf\u00a0\u0301", "e") == [b"caf\xe2", b"e"]


def test_an_escape_reaches_to_the_end_of_its_value_and_no_further() -> None:
    assert texts(b"H\x1bb2", b"2", b"x\x1bp2\x1bs2", b"\x1bga") == ["H₂", "2", "x²2", "α"]


def test_marks_of_sorting_and_joiners_are_kept() -> None:
    assert texts(b"\x88The \x89end\x8d\x8e") == ["\u0098The \u009cend\u200d\u200c"]


@pytest.mark.parametrize("value", [b"\x1b%G", b"a\x1b", b"\xff", b"\xaf", b"\x80", b"\x1b$1!!", b"\x1b$1!!!~~~", b"\x1b(!\x07"])
def test_what_marc_8_does_not_have_is_a_fault_of_its_value_alone(value: bytes) -> None:
    found = to_text(pa.array([b"\xe2e", value, b"\xb2re"], pa.binary()), "marc-8")
    assert list(found.faults) == [1]
    assert "\ufffd" in found.texts[1].as_py()
    assert (found.texts[0].as_py(), found.texts[2].as_py()) == ("é", "øre")


def test_what_marc_8_cannot_write_is_told() -> None:
    values, lost = encode(pa.array(["smile 😀", "øre", "ok\x1a"], pa.string()), "marc-8")
    assert values.to_pylist() == [b"smile \x1a", b"\xb2re", b"ok\x1a"]
    assert lost.tolist() == [True, False, False]


@given(st.lists(st.text(st.sampled_from(REPERTOIRE), max_size=30), max_size=5))
def test_text_of_its_small_sets_comes_back(values: list[str]) -> None:
    assert texts(*raw(*values)) == [unicodedata.normalize("NFC", value) for value in values]


@given(st.lists(st.lists(st.sampled_from([*CHINESE, *"ab 1,é"]), max_size=12).map("".join), max_size=4))
def test_east_asian_text_comes_back(values: list[str]) -> None:
    assert texts(*raw(*values)) == [unicodedata.normalize("NFC", value) for value in values]


@given(
    st.text(st.sampled_from("aeioucnszAEOÅØæß"), min_size=1),
    st.text(st.sampled_from("\u0300\u0301\u0308\u030a\u030c\u0323\u0327"), min_size=1, max_size=3),
)
def test_letters_with_any_diacritics_come_back(letters: str, marks: str) -> None:
    text = unicodedata.normalize("NFC", "".join(letter + marks for letter in letters))
    assert texts(*raw(text)) == [text]


@given(st.lists(st.binary(max_size=24).map(lambda value: value.replace(b"\x1f", b"")), max_size=6))
def test_values_do_not_touch_each_other_whatever_their_bytes(values: list[bytes]) -> None:
    assert texts(*values) == [texts(value)[0] for value in values]


PARTS = [
    "\xe2e",
    "\xe8o",
    "\xb2",
    "a",
    " ",
    "\x1b(NbY",
    "\x1b(2`a",
    "\x1b(Sab",
    "\x1b$1!0!",
    "\x1bp2\x1bs",
    "\x1bb(\x1bs",
    "\x1bga\x1bs",
    "\xeaa",
]


@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_well_formed_text_is_read_as_pymarc_reads_it(parts: list[str]) -> None:
    value = "a".join(part if part[0] == "\x1b" else "\x1b(B" + part for part in [*parts, "a"]).encode("latin-1")
    found = to_text(pa.array([value], pa.binary()), "marc-8")
    if not found.faults:
        assert found.texts[0].as_py() == marc8_to_unicode(value, hide_utf8_warnings=True)
