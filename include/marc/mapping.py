"""MARC records into columns, by the cataloguer's own sentences.

    title: 245$a | trim punctuation         a subfield, then what is done to it
    isbn[]: 020$a | clean isbn              [] takes every value, as a list
    language: 008/35-37                     characters of a control field, the leader, or a subfield (100$a/22-24)
    publisher: 264[ 1]$b, 260$b             commas: the first that says something (lists: all); [..] asks for indicators, * is any
    title: 245$ab                           several subfields of one field, with a blank between
    material_type: leader/06-07 + 008/23    + puts texts side by side
    statement: holdings                     what a library has of a title, in one line: 853-855, 863-868 (include.marc.holdings)
    kind: tag 1XX | map kind                the tag itself; X is any character; `map` looks up a table of the same file
A YAML list of sentences is tried from the first to the last; so each can have steps of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from include.engine.errors import SettingsError
from include.marc import holdings
from include.marc.steps import Step, step

BINDINGS = Path(__file__).parent / "bindings"
PART = re.compile(
    r"(?:(?P<tagonly>tag) )?(?P<tag>leader|holdings|[0-9A-Z]{3})(?:\[(?P<ind>..)\])?(?:\$(?P<codes>[^\s/|,+]+))?(?:/(?P<first>\d+)(?:-(?P<last>\d+))?)?"
)


@dataclass(frozen=True)
class Part:
    """One place in a record: leader or field, subfields, characters `start` to before `stop` (None: to the end)."""

    tag: str
    codes: str
    indicators: str | None
    start: int
    stop: int | None
    tag_only: bool


@dataclass(frozen=True)
class Sentence:
    """Alternatives (each: texts put side by side), and the steps for every value."""

    alternatives: tuple[tuple[Part, ...], ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class ColumnMapping:
    """A whole file: for each column its sentences, and whether it is a list."""

    name: str
    columns: dict[str, tuple[bool, tuple[Sentence, ...]]]

    @property
    def tags(self) -> frozenset[str]:
        """The tags that are looked at (`245`, `6XX`): a reader needs to follow no others."""
        parts = (part for _, sentences in self.columns.values() for one in sentences for parts in one.alternatives for part in parts)
        named = {part.tag for part in parts if part.tag != "leader"}
        return frozenset(named - {"holdings"} | (set(holdings.TAGS) if "holdings" in named else set()))


def sentence(text: str, maps: Mapping[str, Mapping[str, str]]) -> Sentence:
    """Parse one sentence. ValueError says what cannot be read."""
    head, *steps = (piece.strip() for piece in text.split("|"))
    alternatives = tuple(tuple(_part(part) for part in alternative.split("+")) for alternative in head.split(","))
    return Sentence(alternatives, tuple(step(one, maps) for one in steps))


def _part(text: str) -> Part:
    found = PART.fullmatch(text.strip())
    if found is None or (found["tag"] != "leader" and found["codes"] is None and found["ind"]):
        raise ValueError(f"{text.strip()!r} is no place in a record, such as 001, 008/35-37, leader/06, 245$a or 264[ 1]$b")
    first = int(found["first"]) if found["first"] else 0
    last = int(found["last"]) if found["last"] else first if found["first"] else None
    return Part(found["tag"], found["codes"] or "", found["ind"], first, None if last is None else last + 1, bool(found["tagonly"]))


def parse(name: str, spec: Mapping[str, str | Sequence[str]], maps: Mapping[str, Mapping[str, str]] | None = None) -> ColumnMapping:
    """A mapping from columns and their sentences; `[]` behind a column's name makes it a list. SettingsError names the column."""
    columns: dict[str, tuple[bool, tuple[Sentence, ...]]] = {}
    for key, texts in spec.items():
        try:
            sentences = tuple(sentence(str(text), maps or {}) for text in ([texts] if isinstance(texts, str | int) else texts))
        except ValueError as error:
            raise SettingsError(f"{key}: {error}", where=name, do="Mend the sentence.") from error
        columns[key.removesuffix("[]")] = (key.endswith("[]"), sentences)
    return ColumnMapping(name, columns)


def known(folder: Path = BINDINGS) -> list[str]:
    """The names of the mappings that there are."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


@cache
def load(name: str, folder: Path = BINDINGS) -> ColumnMapping:
    """The mapping `name`.yaml. SettingsError names the column whose sentence cannot be read."""
    file = folder / f"{name}.yaml"
    if not file.is_file():
        raise SettingsError(f"there is no MARC mapping {name}", where=file.name, do=f"There are: {', '.join(known(folder))}.")
    from include.engine import yamls  # not above: who gives a spec of their own needs none

    try:
        content = yamls.load(file.read_text(encoding="utf-8"))
    except (yamls.NotYaml, UnicodeDecodeError) as error:
        raise SettingsError(str(error), where=file.name, do="Mend the file: it is to be YAML in UTF-8.") from error
    if not isinstance(content, dict):
        raise SettingsError("a mapping has a line for each column", where=file.name, do="Write lines such as `title: 245$a`.")
    maps = content.pop("maps", {})
    return parse(file.name, content, maps)
