"""Catalogues of any size for the MARC bench: the sandbox's titles as full records, about 1.4 kB and 30 fields each, a fifth of them in MARC-8.

python -m tests.bench.marc_data 1000000                      # a path; made once, kept under .bench/marc
python -m tests.bench.marc_data 1000000 --bad 0.02           # so many damaged, in eight ways, under the same control numbers
python -m tests.bench.marc_data 1000000 --day 2              # the next day's: 1 % changed, 0.5 % gone, 0.5 % new
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from include.sandbox.world.render import marc21
from include.sandbox.world.render.iso2709 import Charset, Field, record, subfields
from include.sandbox.world.titles import Title, titles, words
from include.sandbox.world.world import World, world

FOLDER = Path(".bench/marc")
CHUNK = 2_000
VERSION = "1"
SHELVES = ("MAIN", "EAST", "WEST", "KIDS", "SCI")

#: Eight ways in which a record is broken and can be mended, by facts of real exports (docs/marc.md).
BAD: list[Callable[[bytes], bytes]] = [
    lambda raw: b"00300" + raw[5:],  # length wrong
    lambda raw: b"abcde" + raw[5:],  # length no number
    lambda raw: raw[:12] + b"00000" + raw[17:],  # base address wrong
    lambda raw: raw[:24] + raw[36:48] + raw[24:36] + raw[48:],  # directory in another order
    lambda raw: raw[:27] + b"0009" + raw[31:],  # a field's length wrong
    lambda raw: raw[:-1],  # record terminator missing
    lambda raw: raw[:9] + (b"a" if raw[9:10] == b" " else b" ") + raw[10:],  # the wrong character set named
    lambda raw: b"\r\n" + raw,  # a line end before it
]


@cache
def _world() -> World:
    return world("havnsund", 5_000_000)


def _notes(title: Title, chance: random.Random) -> list[Field]:
    """What a full record has and the sandbox's does not: notes, contents, other numbers, links, items."""
    lists = words("da")
    plenty: list[str] = lists["subtitles"]

    def text(size: int) -> str:
        return " ".join(chance.choice(plenty) for _ in range(size))

    number = title.number
    fields = [
        ("035", subfields("  ", ("a", f"(OCoLC){900_000_000 + number}"))),
        ("082", subfields("04", ("a", f"{chance.randrange(1000):03}.{chance.randrange(100)}"), ("2", "23"))),
        ("336", subfields("  ", ("a", "tekst"), ("b", "txt"), ("2", "rdacontent"))),
        ("337", subfields("  ", ("a", "uformidlet"), ("b", "n"), ("2", "rdamedia"))),
        ("338", subfields("  ", ("a", "bind"), ("b", "nc"), ("2", "rdacarrier"))),
        ("500", subfields("  ", ("a", text(4)))),
        ("504", subfields("  ", ("a", f"Indeholder litteraturhenvisninger (s. {title.pages}-{title.pages + 9}) og register."))),
        ("505", subfields("0 ", ("a", " -- ".join(text(2) for _ in range(4))))),
        ("520", subfields("  ", ("a", text(9)))),
        *(("655", subfields(" 7", ("a", text(1)), ("2", "own"))) for _ in range(2)),
        ("856", subfields("42", ("3", "Forside"), ("u", f"https://example.org/covers/{number:09d}.jpg"))),
        ("942", subfields("  ", ("2", "ddc"), ("c", "BK"))),
    ]
    for item in range(chance.choice((1, 1, 1, 2, 3))):
        shelf = chance.choice(SHELVES)
        place = f"{chance.randrange(1000):03}.{chance.randrange(10)}"
        fields.append(
            ("952", subfields("  ", ("0", "0"), ("1", "0"), ("4", "0"), ("7", "0"), ("9", str(number * 4 + item)), ("a", shelf), ("b", shelf),
             ("c", "STACK"), ("d", f"20{chance.randrange(25):02}-0{chance.randrange(1, 9)}-11"), ("o", place), ("p", f"3{number * 4 + item:013}"),
             ("y", "BK")))
        )  # fmt: skip
    return fields


def one(title: Title, day: int) -> bytes:
    """The record of a title; on the second day some say something else."""
    chance = random.Random(title.number)
    charset: Charset = "marc-8" if chance.random() < 0.2 else "utf-8"
    fields = marc21.bibliographic(_world(), title, _notes(title, chance), corrected=day > 1 and title.number % 100 == 7)
    return record(marc21.leader(title, charset), sorted(fields, key=lambda field: field[0]), charset)


def _chunk(given: tuple[int, int, int, float]) -> bytes:
    start, stop, day, bad = given
    numbers = np.arange(start, stop)
    if day > 1:
        numbers = numbers[numbers % 200 != 3]
    raw = [one(title, day) for title in titles(_world(), numbers)]
    chance = random.Random(start)
    return b"".join(chance.choice(BAD)(part) if chance.random() < bad else part for part in raw)


def chunks(records: int, *, day: int = 1, bad: float = 0.0) -> Iterator[bytes]:
    """The catalogue in pieces, made by two processes."""
    stop = records + (records // 200 if day > 1 else 0)
    with get_context("spawn").Pool(2) as pool:
        yield from pool.imap(_chunk, [(start, min(start + CHUNK, stop), day, bad) for start in range(0, stop, CHUNK)])


def catalogue(records: int, *, day: int = 1, bad: float = 0.0, folder: Path = FOLDER) -> Path:
    """A file of so many records; made at the first call, found at later ones."""
    path = folder / f"{records}-day{day}-{bad:g}-v{VERSION}.mrc"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.writelines(chunks(records, day=day, bad=bad))
        part.replace(path)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.marc_data", description="Make a catalogue.")
    parser.add_argument("records", type=int)
    parser.add_argument("--day", type=int, default=1)
    parser.add_argument("--bad", type=float, default=0.0)
    given = parser.parse_args()
    begin = time.perf_counter()
    path = catalogue(given.records, day=given.day, bad=given.bad)
    print(
        f"{path}: {path.stat().st_size / 1e6:.0f} MB, {path.stat().st_size / given.records:.0f} bytes a record, {time.perf_counter() - begin:.1f} s"
    )
