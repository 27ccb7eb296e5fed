"""Titles and name authorities as UNIMARC fields (UNIMARC Manual, Bibliographic and Authorities formats, IFLA)."""

from __future__ import annotations

from include.sandbox.world.render.iso2709 import Field, subfields
from include.sandbox.world.titles import Title, author_name_of, control_number, words
from include.sandbox.world.world import World

_LEADERS = {"book": "am", "audiobook": "im", "film": "gm", "music": "jm", "periodical": "as", "game": "rm", "map": "em"}


def leader(title: Title, status: str = "n") -> str:
    """Record label positions 5 to 11 and 17 to 19; UNIMARC says its character set in 100 $a, not here."""
    return f"{status}{_LEADERS[title.material]}0 22   "


def authority_leader() -> str:
    return "nx  a22   "


def bibliographic(world: World, title: Title, extra: list[Field], corrected: bool = False) -> list[Field]:
    """The record's fields in order of tag; a `corrected` record has a note more."""
    surname, _, given = (title.author or "").partition(", ")
    other, _, first = (title.second or "").partition(", ")
    # 100 $a 26-29: "    " with "50" would be Unicode; a library's own 8-bit set is agreed between the parties.
    processing = f"20260115d{title.year:04d}    u  y0{world.library.language and 'dut'}y01  ba"
    by = "" if title.responsibility is None else title.responsibility
    fields: list[Field | None] = [
        ("001", control_number(world, title.number)),
        ("003", world.library.isil),
        ("005", f"2026{1 + title.number % 8:02d}15120000.0"),
        ("010", subfields("  ", ("a", title.isbn))) if title.isbn else None,
        ("011", subfields("  ", ("a", title.issn))) if title.issn else None,
        ("100", subfields("  ", ("a", f"{processing:<36}"[:36]))),
        ("101", subfields("0 ", ("a", title.language))),
        ("102", subfields("  ", ("a", world.library.country))),
        ("200", subfields("1 ", ("a", title.title), ("e", title.subtitle), ("f", by or None))),
        ("210", subfields("  ", ("a", title.place), ("c", title.publisher), ("d", str(title.year)))),
        ("215", subfields("  ", ("a", f"{title.pages} p."))),
        ("300", subfields("  ", ("a", words(world.library.language)["subtitles"][5]))) if corrected else None,
        *(("606", subfields("  ", ("a", subject))) for subject in title.subjects),
        ("675", subfields("  ", ("a", title.shelf))),
        ("700", subfields(" 1", ("a", surname), ("b", given), ("3", f"a{700_001 + title.heading}"), ("4", "070")))
        if title.author
        else None,
        ("701", subfields(" 1", ("a", other), ("b", first), ("4", "070"))) if title.second else None,
        ("801", subfields(" 0", ("a", world.library.country), ("b", world.library.isil))),
    ]
    return [field for field in fields if field] + extra


def authority(world: World, heading: int) -> list[Field]:
    """A personal name; every third has an older form that leads to it."""
    surname, _, given = author_name_of(world, heading).partition(", ")
    fields: list[Field] = [
        ("001", f"a{700_001 + heading}"),
        ("003", world.library.isil),
        ("100", subfields("  ", ("a", f"{'20260115adut':<24}"))),
        ("152", subfields("  ", ("a", "own"))),
        ("200", subfields(" 1", ("a", surname), ("b", given))),
    ]
    return [*fields, ("400", subfields(" 1", ("a", surname), ("b", given[:1] + ".")))] if heading % 3 == 0 else fields
