"""What a sentence does to the texts it found, thousands at once: `| trim punctuation`. A text that a step drops becomes null."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import pyarrow as pa
import pyarrow.compute as pc

Step = Callable[[pa.Array], pa.Array]
One = Callable[[str], str | None]
#: What str.strip takes off, and the punctuation of ISBD (International Standard Bibliographic Description) before the next area.
BLANKS = "".join(chr(point) for point in range(0x3001) if chr(point).isspace())
PUNCTUATION = "/:;,="
#: What may stand before a full stop that ends a sentence: three characters of a word, or a closing bracket.
ENDS_SENTENCE = re.compile(r"\w{3}|..[)\]]")


def each(step: One) -> Step:
    """A step for one text as a step for many; equal texts are handled once."""

    def steps(texts: pa.Array) -> pa.Array:
        coded = texts.dictionary_encode()
        done = pa.array([None if text is None else step(text) for text in coded.dictionary.to_pylist()], pa.string())
        return done.take(coded.indices)

    return steps


def trim_punctuation(texts: pa.Array) -> pa.Array:
    """Without ISBD punctuation at the end; a full stop stays behind an initial or an abbreviation of at most two letters."""
    texts = pc.utf8_rtrim(pc.utf8_ltrim(texts, BLANKS), BLANKS + PUNCTUATION)
    bracketed = pc.and_(pc.and_(pc.starts_with(texts, "["), pc.ends_with(texts, "]")), pc.invert(pc.match_substring(texts, "\n")))
    texts = _changed(texts, bracketed, lambda some: pc.utf8_slice_codeunits(some, 1, -1))
    stopped = pc.ends_with(texts, ".")
    before = pc.utf8_slice_codeunits(texts.filter(stopped), -4, -1)
    ends = each(lambda three: "yes" if ENDS_SENTENCE.fullmatch(three) else None)(before).is_valid()
    stopped = pc.replace_with_mask(pc.fill_null(stopped, False), pc.fill_null(stopped, False), ends)
    return _changed(texts, stopped, lambda some: pc.utf8_slice_codeunits(some, 0, -1))


def _changed(texts: pa.Array, which: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The texts, with some of them changed."""
    which = pc.fill_null(which, False)
    return pc.replace_with_mask(texts, which, change(texts.filter(which))) if pc.any(which).as_py() else texts


def clean_isbn(text: str) -> str | None:
    """The ten or thirteen characters of an ISBN, without hyphens and what stands behind; None if there are not so many."""
    found = re.match(r"[\s\[(]*([0-9][0-9Xx -]{8,16}[0-9Xx])", text)
    number = re.sub(r"[ -]", "", found[1]).upper() if found else ""
    return number if re.fullmatch(r"\d{9}[\dX]|97[89]\d{10}", number) else None


def clean_issn(text: str) -> str | None:
    """An ISSN as NNNN-NNNC; None if it is none."""
    found = re.search(r"\b(\d{4})-?(\d{3}[\dXx])\b", text)
    return f"{found[1]}-{found[2].upper()}" if found else None


def year(text: str) -> str | None:
    """The first year between 1000 and 2099 in the text."""
    found = re.search(r"(?<!\d)(1\d{3}|20\d{2})(?!\d)", text)
    return found[1] if found else None


def language(text: str) -> str | None:
    """An ISO 639-2/B code: three letters; fill characters and blanks are none."""
    code = text.strip()[:3].casefold()
    return code if re.fullmatch(r"[a-z]{3}", code) else None


def without_blanks(text: str) -> str | None:
    """A number that is written in groups (5 123 456 7), as one."""
    return "".join(text.split()) or None


def linked(text: str) -> str | None:
    """The control number in a link such as (DK-820010)5 123 456 7: without the agency before it and without blanks."""
    return without_blanks(re.sub(r"^\s*\([^)]*\)", "", text))


STEPS: dict[str, Step] = {
    "without blanks": each(without_blanks),
    "linked": each(linked),
    "trim punctuation": trim_punctuation,
    "clean isbn": each(clean_isbn),
    "clean issn": each(clean_issn),
    "year": each(year),
    "language": each(language),
    "lower": each(str.casefold),
}


def step(text: str, maps: Mapping[str, Mapping[str, str]]) -> Step:
    """The step of this name, or `map` and one of the tables. ValueError says what there is."""
    if text in STEPS:
        return STEPS[text]
    name = text.removeprefix("map ")
    if name == text or name not in maps:
        raise ValueError(f"{text!r} is no step: {', '.join(STEPS)}, or map and one of {', '.join(maps) or 'no tables'}")
    table = {str(key): str(value) for key, value in maps[name].items()}
    patterns = [(key, value) for key, value in table.items() if set("?*[") & set(key)]

    def look_up(value: str) -> str | None:
        if value in table:
            return table[value]
        return next((ours for pattern, ours in patterns if fnmatchcase(value, pattern)), None)

    return each(look_up)
