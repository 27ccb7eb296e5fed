"""Saved queries: sets of the house's own making, from a YAML file.

    danish_ebooks:
      name: Danish e-books since 2020
      where: {language: dan, material_type: [ebook, audiobook], year: 2020.., subjects: "krimi*"}

Every column must agree. A list means any of its values; * and ? in a text stand for any characters; a year may be a range. Upper and lower
case are alike. A record without the column does not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from include.engine import yamls
from include.engine.errors import SettingsError
from include.engine.partner.settings import Shape

Column = Literal[
    "partner",
    "agency",
    "format",
    "language",
    "material_type",
    "year",
    "subjects",
    "classification",
    "title",
    "contributors",
    "publisher",
    "isbn",
    "issn",
]
NAME = r"^[a-z0-9_]+$"
Test = Callable[[Any], bool]


class SavedQuery(Shape):
    """One set: what harvesters see as its name, and what a record's columns must say."""

    name: str = Field(min_length=1)
    where: dict[Column, str | int | list[str | int]] = Field(min_length=1)


@dataclass(frozen=True)
class Query:
    """A saved query that is ready to judge records; `said` is all that it depends on, for the index to see that it changed."""

    id: str
    name: str
    tests: tuple[tuple[str, Test], ...]
    said: str

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether the record with these columns belongs to the set."""
        return all(_any(test, row[column]) for column, test in self.tests)


def load(file: Path | None) -> tuple[Query, ...]:
    """The queries of a file, none without one. SettingsError names what cannot be used."""
    if file is None:
        return ()
    try:
        content = yamls.load(file.read_text(encoding="utf-8")) or {}
        found = TypeAdapter(dict[str, SavedQuery]).validate_python(content)
        return tuple(_query(id, found[id]) for id in sorted(found))
    except OSError as error:
        raise _wrong(file, f"cannot be read: {error.strerror}") from None
    except yamls.NotYaml as error:
        raise _wrong(file, f"is no YAML: {error.problem}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(file, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise _wrong(file, str(error)) from None


def _query(id: str, saved: SavedQuery) -> Query:
    if not re.fullmatch(NAME, id):
        raise ValueError(f"{id!r} is no name of a set: small letters, digits and _")
    tests = tuple((column, _test(column, wanted)) for column, wanted in sorted(saved.where.items()))
    return Query(id, saved.name, tests, repr(sorted(saved.where.items())))


def _any(test: Test, value: Any) -> bool:
    if value is None:
        return False
    return any(test(one) for one in value if one is not None) if isinstance(value, list | tuple) else test(value)


def _test(column: str, wanted: str | int | list[str | int]) -> Test:
    choices = wanted if isinstance(wanted, list) else [wanted]
    if column == "year":
        spans = [_span(str(choice)) for choice in choices]
        return lambda value: any(first <= value <= last for first, last in spans)
    pattern = re.compile("|".join(translate(str(choice).casefold()) for choice in choices))
    return lambda value: pattern.match(str(value).casefold()) is not None


def _span(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(-?\d*)\.\.(-?\d*)|(\d+)", text)
    if found is None or text == "..":
        raise ValueError(f"{text!r} is no year or range of years: 2019, 2000..2009, 2020.. or ..1899")
    if found[3]:
        return int(found[3]), int(found[3])
    return int(found[1] or -10_000), int(found[2] or 10_000)


def _wrong(file: Path, what: str) -> SettingsError:
    return SettingsError(
        f"the saved queries in {file.name}: {what}.", where="BINDERY_OAI_SETS", do="Mend the file; docs/flows/oai_provider.md shows one."
    )
