"""The titles of a library: made of words, the same for the same seed and index."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from include.sandbox.world.chance import Index, below, choose, unit
from include.sandbox.world.world import World

MATERIALS = ("book", "audiobook", "film", "music", "periodical", "game", "map")
_SHARES = [80.0, 5, 5, 4, 3, 2, 1]
_CLASSES = {
    "da": ["56.9", "46.4", "71.9", "62.64", "63.8", "61.5", "39.1", "64.6", "78.1", "62.4", "80.7", "70.9"],
    "sv": ["Uf", "N", "Ic", "Pr", "Qd", "Uh", "M", "Ie", "Ij", "Pb", "F", "Ib"],
    "nl": ["597", "938", "719", "656", "638", "573", "398", "646", "781", "620", "804", "700"],
}


@dataclass(frozen=True)
class Title:
    """What the catalogue says of one title; `author` and `second` are headings ("Surname, Given"), `heading` the authority's number or -1."""

    number: int
    title: str
    subtitle: str | None
    author: str | None
    second: str | None
    heading: int
    responsibility: str | None
    year: int
    language: str
    isbn: str | None
    issn: str | None
    material: str
    publisher: str
    place: str
    subjects: tuple[str, ...]
    shelf: str
    pages: int


@cache
def words(language: str) -> dict[str, Any]:
    """The word lists of a language."""
    lists: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
    return lists[language]


def material(world: World, number: Index) -> Index:
    """Position in MATERIALS for every title."""
    return choose(_SHARES, world.seed, "material", number)


def control_number(world: World, number: int) -> str:
    """The 001 of a title: the library's own numbering."""
    return control_numbers(world)[0] + str(control_numbers(world)[1] + number)


def control_numbers(world: World) -> tuple[str, int]:
    """(prefix, first number): a control number is the prefix and the first number plus the title's."""
    return {"lindeby": ("", 51_000_000), "havnsund": ("", 100_001), "almvik": ("in", 10_000_000_001), "molendal": ("c:lvd:", 1_400_001)}[
        world.library.id
    ]


def call_number(world: World, title: Title) -> str:
    """Shelf class and the first letters of the author or title."""
    return f"{title.shelf} {(title.author or title.title)[:3]}"


def author_name(world: World, heading: int) -> str:
    """The heading of a personal name authority."""
    lists, draw = words(world.library.language), np.array([heading], dtype=np.int64)
    given = lists["given_f"] + lists["given_m"]
    return f"{_one(lists['surnames'], world, 'surname', draw)}, {_one(given, world, 'given', draw)}"


def titles(world: World, number: Index) -> list[Title]:
    """The titles with these numbers."""
    seed, lists = world.seed, words(world.library.language)
    count = {name: len(value) for name, value in lists.items() if isinstance(value, list)}
    draws = {
        name: below(limit, seed, name, number).tolist()
        for name, limit in {
            "pattern": count["patterns"], "adjective": count["adjectives"], "noun": count["nouns"], "noun2": count["nouns"], "place": count["places"],
            "subject": count["subjects"], "other subject": count["subjects"], "subtitle": count["subtitles"], "publisher": count["publishers"],
            "publishing place": count["publishing_places"], "heading": world.authorities, "second": world.authorities, "age": 45, "pages": 620, "foreign": 40,
        }.items()
    }  # fmt: skip
    of_kind = material(world, number).tolist()
    told, with_second = (unit(seed, "told", number) < 0.6).tolist(), (unit(seed, "with second", number) < 0.15).tolist()
    found = []
    for row, n in enumerate(number.tolist()):
        draw = {name: values[row] for name, values in draws.items()}
        found.append(_title(world, lists, n, draw, MATERIALS[of_kind[row]], told[row], with_second[row]))
    return found


def _title(world: World, lists: dict[str, Any], number: int, draw: dict[str, int], kind: str, told: bool, with_second: bool) -> Title:
    subject = lists["subjects"][draw["subject"]]
    text: str = lists["patterns"][draw["pattern"]].format(
        adjective=lists["adjectives"][draw["adjective"]], adjectives=lists["adjectives"][draw["adjective"]], noun=lists["nouns"][draw["noun"]],
        noun2=lists["nouns"][draw["noun2"]], plurals=lists["plurals"][draw["noun"]], place=lists["places"][draw["place"]], subject=subject,
    )  # fmt: skip
    text = text[0].upper() + text[1:]
    periodical = kind == "periodical"
    author = None if periodical else author_name_of(world, draw["heading"])
    second = author_name_of(world, draw["second"]) if with_second and not periodical else None
    names = " ; ".join(_natural(name) for name in (author, second) if name)
    subjects = (subject, lists["by"].format(subject=lists["subjects"][draw["other subject"]], place=lists["places"][draw["place"]]))
    language = lists["code"] if draw["foreign"] else "eng"
    return Title(
        number=number, title=text, subtitle=lists["subtitles"][draw["subtitle"]] if told and not periodical else None, author=author, second=second,
        heading=draw["heading"] if author else -1, responsibility=f"{lists['responsibility']} {names}" if names else None, year=1981 + draw["age"],
        language=language, isbn=_isbn(world, number) if kind in ("book", "audiobook") else None, issn=_issn(number) if periodical else None, material=kind,
        publisher=lists["publishers"][draw["publisher"]], place=lists["publishing_places"][draw["publishing place"]], subjects=subjects[: 1 + number % 2],
        shelf=_CLASSES[world.library.language][draw["subject"]], pages=40 + draw["pages"],
    )  # fmt: skip


@cache
def author_name_of(world: World, heading: int) -> str:
    """`author_name`, remembered."""
    return author_name(world, heading)


def _natural(heading: str) -> str:
    surname, _, given = heading.partition(", ")
    return f"{given} {surname}"


def _one(choices: list[str], world: World, name: str, draw: Index) -> str:
    return choices[int(below(len(choices), world.seed, name, draw)[0])]


def _isbn(world: World, number: int) -> str:
    """ISBN-13 of the country's group with the right check digit (ISBN Users' Manual, 7th ed.)."""
    body = {"DK": "978879", "SE": "978919", "BE": "978909"}[world.library.country] + f"{number % 1_000_000:06d}"
    total = sum(int(figure) * (3 if place % 2 else 1) for place, figure in enumerate(body))
    return body + str(-total % 10)


def _issn(number: int) -> str:
    """ISSN with the right check digit (ISO 3297)."""
    body = f"9{number % 1_000_000:06d}"
    check = -sum(int(figure) * (8 - place) for place, figure in enumerate(body)) % 11
    return f"{body[:4]}-{body[4:]}{'X' if check == 10 else check}"
