"""Arrow arrays of bytes into arrays of text, and back, by the name of the character set."""

from __future__ import annotations

from codecs import register_error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Bools
from include.marc.charsets import danmarc2, marc8, single, unimarc, utf8
from include.marc.charsets.joined import join, split
from include.marc.charsets.tables import UNKNOWN

#: Every character set by its name; a record's set is its index here.
NAMES: tuple[str, ...] = (
    "utf-8",
    "marc-8",
    "iso-8859-1",
    "iso-5426",
    "iso-6937",
    "danmarc2",
    "danmarc2-utf-8",
    "iso-8859-15",
    "windows-1252",
    "windows-1251",
    "cp850",
    "cp865",
    "unimarc-cyrillic",
    "unimarc-extended-cyrillic",
    "unimarc-greek",
)
#: UNIMARC's sets, and what each has on the right side until an escape sequence says otherwise.
UNIMARC: Mapping[str, str] = {"iso-5426": "P", "unimarc-cyrillic": "N", "unimarc-extended-cyrillic": "Q", "unimarc-greek": "S"}
#: ASCII bytes that make a value need decoding though it is ASCII.
SPECIAL: Mapping[str, bytes] = (
    dict.fromkeys(NAMES, b"")
    | {"marc-8": b"\x1b"}
    | dict.fromkeys(UNIMARC, unimarc.SHIFTS)
    | dict.fromkeys(("danmarc2", "danmarc2-utf-8"), b"@")
)
SUBSTITUTE = b"\x1a"
#: Sets without escapes.
SINGLE: dict[str, Callable[[], single.Single]] = {"iso-8859-1": single.latin1, "iso-6937": single.iso6937}


@dataclass(frozen=True)
class Decoded:
    """`texts`: as many as there were values. `faults`: row -> what could not be read; each such place is U+FFFD in its text."""

    texts: pa.StringArray
    faults: Mapping[int, str]


def to_text(values: pa.BinaryArray, charset: str) -> Decoded:
    """Binary values (no nulls) into text. Never raises for what the bytes are; what cannot be read stands in `faults`."""
    if charset == "utf-8":
        return Decoded(*utf8.decode(values))
    joined = join(values)
    text = _decoder(charset)(joined)
    texts = split(text.encode("utf-8"), len(values), pa.string())
    faults = _counted(texts, UNKNOWN, f"not {charset}: {{}} of its characters") if UNKNOWN in text else {}
    return Decoded(texts, faults)


def encode(values: pa.StringArray, charset: str) -> tuple[pa.BinaryArray, Bools]:
    """Text (no nulls) into binary values, and which of them hold a character that the set does not have (0x1A stands for it)."""
    if charset == "utf-8":
        return values.cast(pa.binary()), np.zeros(len(values), np.bool_)
    joined = join(values).decode("utf-8")
    data = _encoder(charset)(joined)
    found = split(data, len(values), pa.binary())
    if SUBSTITUTE not in data:
        return found, np.zeros(len(values), np.bool_)
    lost: Bools = np.asarray(pc.count_substring(found, SUBSTITUTE)) > np.asarray(pc.count_substring(values, "\x1a"))
    return found, lost


def _counted(values: pa.Array, sought: str | bytes, words: str) -> dict[int, str]:
    counts = np.asarray(pc.count_substring(values, sought))
    return {row: words.format(counts[row]) for row in np.flatnonzero(counts).tolist()}


@cache
def _decoder(charset: str) -> Callable[[bytes], str]:
    if charset in SINGLE:
        return SINGLE[charset]().decode
    if charset in UNIMARC:
        return partial(unimarc.decode, g1=UNIMARC[charset])
    own = {"marc-8": marc8.decode, "danmarc2": danmarc2.decode, "danmarc2-utf-8": danmarc2.decode_utf8}
    return own.get(charset) or (lambda joined: joined.decode(charset, "replace"))


@cache
def _encoder(charset: str) -> Callable[[str], bytes]:
    if charset in SINGLE:
        return SINGLE[charset]().encode
    if charset in UNIMARC:
        return unimarc.plain(UNIMARC[charset]).encode
    own = {"marc-8": marc8.encode, "danmarc2": danmarc2.encode, "danmarc2-utf-8": danmarc2.encode_utf8}
    return own.get(charset) or (lambda joined: joined.encode(charset, "bindery-substitute"))


def _substitute(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return SUBSTITUTE * (error.end - error.start), error.end


register_error("bindery-substitute", _substitute)
