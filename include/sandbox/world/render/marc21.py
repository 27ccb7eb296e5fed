"""Titles and name authorities as MARC 21 fields (MARC 21 Format for Bibliographic Data and for Authority Data, Library of Congress)."""

from __future__ import annotations

from include.sandbox.world.render.iso2709 import Charset, Field, subfields
from include.sandbox.world.titles import Title, author_name_of, call_number, control_number, words
from include.sandbox.world.world import World

_LEADERS = {"book": "am", "audiobook": "im", "film": "gm", "music": "jm", "periodical": "as", "game": "rm", "map": "em"}
_COUNTRIES = {"DK": "dk ", "SE": "sw ", "BE": "be "}
_CLASSES = {"da": ("652", "m"), "sv": ("084", "a"), "nl": ("080", "a")}


def leader(title: Title, charset: Charset, status: str = "n") -> str:
    """Leader positions 5 to 11 and 17 to 19; position 9 says the character set: a is Unicode, blank MARC-8."""
    return f"{status}{_LEADERS[title.material]} {'a' if charset == 'utf-8' else ' '}22 i "


def authority_leader(charset: Charset) -> str:
    return f"nz  {'a' if charset == 'utf-8' else ' '}22n  "


def bibliographic(world: World, title: Title, extra: list[Field], corrected: bool = False) -> list[Field]:
    """The record's fields in order of tag; `extra` are the library's own item and holdings fields. A `corrected` record has a note more."""
    place = _COUNTRIES[world.library.country]
    main = f"{title.title} :" if title.subtitle else f"{title.title} /" if title.responsibility else title.title
    rest = f"{title.subtitle} /" if title.subtitle and title.responsibility else title.subtitle
    tag, code = _CLASSES[world.library.language]
    fields: list[Field | None] = [
        ("001", control_number(world, title.number)),
        ("003", world.library.isil),
        ("005", f"2026{1 + title.number % 8:02d}15120000.0"),
        ("008", f"{title.year % 100:02d}0115s{title.year:04d}    {place}|||||||||||||||||{title.language} d"),
        ("020", subfields("  ", ("a", title.isbn))) if title.isbn else None,
        ("022", subfields("  ", ("a", title.issn))) if title.issn else None,
        ("040", subfields("  ", ("a", world.library.isil), ("b", words(world.library.language)["code"]))),
        ("041", subfields("0 ", ("a", title.language))),
        (tag, subfields("  ", (code, title.shelf), ("2", "kssb/8" if tag == "084" else None))) if tag < "100" else None,
        ("100", subfields("1 ", ("a", title.author), ("0", _authority(world, title.heading)), ("4", "aut"))) if title.author else None,
        ("245", subfields("10" if title.author else "00", ("a", main), ("b", rest), ("c", title.responsibility))),
        ("264", subfields(" 1", ("a", f"{title.place} :"), ("b", f"{title.publisher},"), ("c", str(title.year)))),
        ("300", subfields("  ", ("a", _carrier(title)))),
        ("500", subfields("  ", ("a", words(world.library.language)["subtitles"][5]))) if corrected else None,
        *(("650", subfields(" 7", ("a", subject), ("2", "own"))) for subject in title.subjects),
        (tag, subfields("  ", (code, title.shelf))) if tag > "100" else None,
        ("700", subfields("1 ", ("a", title.second), ("4", "aut"))) if title.second else None,
        ("852", subfields("  ", ("a", world.library.isil), ("h", call_number(world, title)))),
    ]
    return [field for field in fields if field] + extra


def authority(world: World, heading: int) -> list[Field]:
    """A personal name; every third has an older form that leads to it."""
    name = author_name_of(world, heading)
    older = name.partition(", ")[0] + ", " + name.partition(", ")[2][:1] + "."
    fields: list[Field] = [
        ("001", _authority(world, heading)),
        ("003", world.library.isil),
        ("008", "260115n||azznnaabn          |n aaa      "),
        ("040", subfields("  ", ("a", world.library.isil), ("b", words(world.library.language)["code"]))),
        ("100", subfields("1 ", ("a", name))),
    ]
    return [*fields, ("400", subfields("1 ", ("a", older)))] if heading % 3 == 0 else fields


def _authority(world: World, heading: int) -> str:
    return f"a{700_001 + heading}"


def _carrier(title: Title) -> str:
    return {
        "book": f"{title.pages} s.",
        "audiobook": "1 CD",
        "film": "1 DVD",
        "music": "1 CD",
        "periodical": "bd.",
        "game": "1 spil",
        "map": "1 kort",
    }[title.material]
