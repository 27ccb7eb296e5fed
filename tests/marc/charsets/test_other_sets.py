"""ISO 5426, ISO 6937, danMARC2, UNIMARC's Cyrillic and Greek, and single-byte sets: into text and back."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.marc.charsets import NAMES, encode, single, utf8
from include.marc.charsets.codecs import to_text
from include.marc.charsets.tables import iso

TABLED = [name for name in NAMES if name not in ("utf-8", "danmarc2-utf-8")]


def texts(charset: str, *values: bytes) -> list[str]:
    return to_text(pa.array(values, pa.binary()), charset).texts.to_pylist()


def raw(charset: str, *values: str) -> list[bytes]:
    return encode(pa.array(values, pa.string()), charset)[0].to_pylist()


@pytest.mark.parametrize(
    ("charset", "value", "text"),
    [
        ("iso-5426", b"\xc8u\xe1 \xc9o\xc2e\xd0c \xfb \xa8", "üÆ öéç ß ′"),
        ("iso-5426", b"\x88Le \x89livre", "\u0098Le \u009clivre"),
        ("iso-6937", b"\xc2e \xc8a \xcac \xe9re \xbd", "é ä c\u030a Øre ½"),
        ("danmarc2", b"\xe6bler @00E6 @@ @* @\xe5 @\xc5 @010D @\xa4", "æbler æ @ * ꜳ Ꜳ č ¤"),
        ("danmarc2", b"@0301e og @030ca", "é og ǎ".replace("é", "e\u0301").replace("ǎ", "a\u030c")),
        ("danmarc2", b"navn@firma.dk", "navn@firma.dk"),
        ("danmarc2-utf-8", "æ @00E6 e\u0301".encode(), "æ æ e\u0301"),
        ("unimarc-cyrillic", b"\xf0\xd5\xdb\xcb\xc9\xce", None),
        ("iso-8859-15", b"\xa4", "€"),
        ("windows-1252", b"\x80 \x93x\x94", "€ “x”"),
        ("windows-1251", b"\xcf\xf3\xf8\xea\xe8\xed", "Пушкин"),
        ("cp865", b"\x9bre", "øre"),
    ],
)
def test_bytes_are_the_text_of_their_set(charset: str, value: bytes, text: str | None) -> None:
    found = texts(charset, value)[0]
    assert found == text or (text is None and all(unicodedata.name(letter).startswith("CYRILLIC") for letter in found))


def test_a_code_that_a_set_leaves_empty_is_a_fault() -> None:
    found = to_text(pa.array([b"ok", b"\xdc \xdc", b"\xc2e"], pa.binary()), "iso-5426")
    assert found.faults == {1: "not iso-5426: 2 of its characters"}
    assert found.texts.to_pylist() == ["ok", "� �", "é"]


def test_damaged_utf_8_is_a_fault_of_its_value_alone() -> None:
    found = to_text(pa.array([b"\xc3\xa6", b"a\xe6b", b"\xc3", b"\xa6"], pa.binary()), "utf-8")
    assert list(found.faults) == [1, 2, 3]
    assert found.texts.to_pylist() == ["æ", "a�b", "�", "�"]


@pytest.mark.skipif(not shutil.which("iconv"), reason="iconv is not at hand")
def test_iso_6937_is_as_iconv_reads_it() -> None:
    compared = 0
    for code in iso("6937").characters:
        value = bytes([code | 0x80])
        if value in (b"\xa4", b"\xa6"):  # of the edition of 1983 only
            continue
        letters = [b""] if iso("6937").characters[code] not in iso("6937").marks else [b"a", b"e", b"o", b"u", b"c", b"S", b"Z"]
        for letter in letters:
            theirs = subprocess.run(["iconv", "-f", "ISO_6937", "-t", "UTF-8"], input=value + letter, capture_output=True, check=False)
            if theirs.returncode == 0:  # iconv composes by a list, and refuses what is not in it
                assert texts("iso-6937", value + letter) == [unicodedata.normalize("NFC", theirs.stdout.decode())]
                compared += 1
    assert compared > 90


@pytest.mark.parametrize("charset", TABLED)
@given(values=st.lists(st.binary(max_size=20).map(lambda value: value.replace(b"\x1f", b"")), max_size=5))
def test_whatever_the_bytes_what_was_read_is_written_and_read_again(charset: str, values: list[bytes]) -> None:
    found = to_text(pa.array(values, pa.binary()), charset)
    good = [text for row, text in enumerate(found.texts.to_pylist()) if row not in found.faults]
    back, lost = encode(pa.array(good, pa.string()), charset)
    kept = [row for row, gone in enumerate(lost.tolist()) if not gone]
    # an isolated diacritic before U+00A0 of the text itself is the one thing that these sets cannot tell apart
    assert len(kept) == len(good) or "\u00a0" in "".join(good) or charset == "marc-8"
    assert [to_text(back, charset).texts[row].as_py() for row in kept] == [good[row] for row in kept]


@given(
    st.lists(
        st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Mn", "Me", "Mc"]).filter(lambda c: c not in "\x1f\xa0"))
    )
)
def test_danmarc2_writes_any_letter_of_the_basic_plane(values: list[str]) -> None:
    assert texts("danmarc2", *raw("danmarc2", *values)) == values


def test_danmarc2_gives_the_same_bytes_back() -> None:
    values = [b"@0301e", b"@010D", b"@@ og @\xe5rhus @\xc5", b"\xe6\xf8\xe5 * ren"]
    assert raw("danmarc2", *texts("danmarc2", *values)) == values


@given(st.lists(st.binary(max_size=6) | st.text(max_size=4).map(str.encode), max_size=6))
def test_a_look_at_neighbouring_bytes_never_takes_utf_8_for_another_set(values: list[bytes]) -> None:
    found = utf8.surely_not(pa.array([b"x", *values], pa.binary()).slice(1)).tolist()
    assert not any(wrong and utf8.valid(value) for wrong, value in zip(found, values, strict=True))
    assert utf8.surely_not(pa.array([b"\xe6bler", b"caf\xe9"], pa.binary())).all()


@pytest.mark.parametrize("latin", [single.marc8_latin, single.iso5426, single.iso6937])
@given(joined=st.binary(max_size=40))
def test_letters_that_are_kept_are_what_the_whole_text_says(latin: Callable[[], single.Single], joined: bytes) -> None:
    found = latin()
    assert found.decode(joined) == replace(found, letters=None).decode(joined)


def test_any_bytes_do_not_fill_the_memory_with_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single._Known, "MOST", 100)
    letters = single.iso5426().letters
    assert letters is not None
    for first in range(0xC1, 0xD0):
        for second in range(0x41, 0x5B):
            letters.decode(bytes([first, second]))
    assert len(letters._known) <= 100
