"""MARC records into columns, by the cataloguer's own sentences.

    title: 245$a | trim punctuation         a subfield, then what is done to it
    isbn[]: 020$a | clean isbn              [] takes every value, as a list
    language: 008/35-37                     characters of a control field, the leader, or a subfield (100$a/22-24)
    publisher: 264[ 1]$b, 260$b             commas: the first that says something (lists: all); [..] asks for indicators, * is any
    title: 245$ab                           several subfields of one field, with a blank between
    material_type: leader/06-07 + 008/23    + puts texts side by side
    kind: tag 1XX | map kind                the tag itself; X is any character; `map` looks up a table of the same file
A YAML list of sentences is tried from the first to the last; so each can have steps of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from include.engine.errors import SettingsError
from include.marc.record import Record

BINDINGS = Path(__file__).parent / "bindings"
PART = re.compile(
    r"(?:(?P<tagonly>tag) )?(?P<tag>leader|[0-9A-Z]{3})(?:\[(?P<ind>..)\])?(?:\$(?P<codes>[^\s/|,+]+))?(?:/(?P<first>\d+)(?:-(?P<last>\d+))?)?"
)
Step = Callable[[str], str | None]


@dataclass(frozen=True)
class Part:
    """One place in a record: leader or field, subfields, characters `first` to `last`."""

    tag: str
    codes: str
    indicators: str | None
    span: slice
    tag_only: bool

    def values(self, record: Record) -> list[str]:
        """What stands there, field by field; empty texts are left out."""
        if self.tag == "leader":
            found = [record.leader]
        elif self.tag_only:
            found = [field.tag for field in record.named(self.tag)]
        elif self.codes:
            found = [" ".join(field.values(self.codes)) for field in record.named(self.tag) if self._asked(field.indicators)]
        else:
            found = [field.data for field in record.named(self.tag) if field.data is not None]
        return [text for text in (value[self.span] for value in found) if text.strip()]

    def _asked(self, indicators: str) -> bool:
        return self.indicators is None or fnmatchcase(indicators, self.indicators.replace("*", "?"))


@dataclass(frozen=True)
class Sentence:
    """Alternatives (each: texts put side by side), and the steps for every value."""

    alternatives: tuple[tuple[Part, ...], ...]
    steps: tuple[Step, ...]

    def values(self, record: Record) -> list[str]:
        """Every value, in order, after the steps; a step may drop one."""
        values: list[str] = []
        for parts in self.alternatives:
            texts = parts[0].values(record) if len(parts) == 1 else ["".join((part.values(record) or [""])[0] for part in parts)]
            for text in texts:
                value: str | None = text
                for step in self.steps:
                    value = step(value) if value else None
                if value and value.strip():
                    values.append(value.strip())
        return values


@dataclass(frozen=True)
class ColumnMapping:
    """A whole file: for each column its sentences, and whether it is a list."""

    name: str
    columns: dict[str, tuple[bool, tuple[Sentence, ...]]]

    def row(self, record: Record) -> dict[str, Any]:
        """Column -> text (None where the record says nothing), or list of distinct texts (None where empty)."""
        row: dict[str, Any] = {}
        for column, (many, sentences) in self.columns.items():
            if many:
                row[column] = list(dict.fromkeys(value for sentence in sentences for value in sentence.values(record))) or None
            else:
                row[column] = next((value for sentence in sentences for value in sentence.values(record)), None)
        return row


def trim_punctuation(text: str) -> str:
    """Without ISBD punctuation at the end; a full stop stays behind an initial or an abbreviation of at most two letters."""
    text = re.sub(r"[\s/:;,=]+$", "", text.strip())
    text = re.sub(r"^\[(.*)\]$", r"\1", text)
    return re.sub(r"(?<=\w{3}|..[)\]])\.$", "", text)


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


STEPS: dict[str, Step] = {
    "trim punctuation": trim_punctuation,
    "clean isbn": clean_isbn,
    "clean issn": clean_issn,
    "year": year,
    "language": language,
    "lower": str.casefold,
}


def sentence(text: str, maps: Mapping[str, Mapping[str, str]]) -> Sentence:
    """Parse one sentence. ValueError says what cannot be read."""
    head, *steps = (piece.strip() for piece in text.split("|"))
    alternatives = tuple(tuple(_part(part) for part in alternative.split("+")) for alternative in head.split(","))
    return Sentence(alternatives, tuple(_step(step, maps) for step in steps))


def _part(text: str) -> Part:
    found = PART.fullmatch(text.strip())
    if found is None or (found["tag"] != "leader" and found["codes"] is None and found["ind"]):
        raise ValueError(f"{text.strip()!r} is no place in a record, such as 001, 008/35-37, leader/06, 245$a or 264[ 1]$b")
    first = int(found["first"]) if found["first"] else None
    last = int(found["last"]) if found["last"] else first
    span = slice(first, None if last is None else last + 1)
    return Part(found["tag"], found["codes"] or "", found["ind"], span, bool(found["tagonly"]))


def _step(text: str, maps: Mapping[str, Mapping[str, str]]) -> Step:
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

    return look_up


@cache
def load(name: str, folder: Path = BINDINGS) -> ColumnMapping:
    """The mapping `name`.yaml. SettingsError names the column whose sentence cannot be read."""
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise SettingsError(f"there is no MARC mapping {name}", where=file.name, do=f"There are: {known}.")
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    maps = content.pop("maps", {})
    columns: dict[str, tuple[bool, tuple[Sentence, ...]]] = {}
    for key, texts in content.items():
        try:
            sentences = tuple(sentence(str(text), maps) for text in (texts if isinstance(texts, list) else [texts]))
        except ValueError as error:
            raise SettingsError(f"{key}: {error}", where=file.name, do="Mend the sentence.") from error
        columns[key.removesuffix("[]")] = (key.endswith("[]"), sentences)
    return ColumnMapping(name, columns)
