"""Reading the index: pages of a list, single records, sets. Each page is a range of places, found by key and never by counting."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.oai_pmh.provider.bodies import unpack
from connectors.oai_pmh.provider.horizon import promise

PAGE_BYTES = 4 << 20  # of bodies, unpacked: a page ends early rather than grow beyond it


@dataclass(frozen=True)
class Shelf:
    """What records have in common: class and MARC format (formats.py), setSpecs."""

    kind: int
    format: str
    sets: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A record of a page; `body` is None when it is deleted, or was not asked for."""

    place: int
    local: str
    datestamp: int
    shelf: int
    deleted: bool
    body: bytes | None


@contextmanager
def view(connection: sqlite3.Connection) -> Iterator[int]:
    """One state of the index for all that is read inside; gives the date of the answer (seconds), up to which all is known for good."""
    dated = promise(connection)
    connection.execute("BEGIN")
    try:
        yield dated
    finally:
        connection.execute("COMMIT")


def span(connection: sqlite3.Connection, first: int | None, last: int | None, dated: int) -> tuple[int, int]:
    """(after, bound): the places behind `after` and up to `bound` have datestamps from `first` to `last`, none later than `dated`."""
    until = dated if last is None else min(last, dated)
    bound = connection.execute("SELECT max(last_place) FROM batch WHERE datestamp <= ?", (until,)).fetchone()[0]
    after = None
    if first is not None:
        after = connection.execute("SELECT max(last_place) FROM batch WHERE datestamp < ?", (first,)).fetchone()[0]
    return after or 0, bound or 0


def listings(connection: sqlite3.Connection, spec: str, kinds: Sequence[int]) -> list[int]:
    """Ids of the lists of a set ("" is everything; so are `library` and `material`) in these classes; none when it has no record."""
    named = "" if spec in ("library", "material") else spec
    marks = ",".join("?" * len(kinds))
    found = connection.execute(f"SELECT id FROM listing WHERE spec = ? AND class IN ({marks}) ORDER BY id", (named, *kinds))  # noqa: S608
    return [id for (id,) in found]


def size(connection: sqlite3.Connection, lists: Sequence[int], after: int, bound: int) -> int:
    """How many records the lists have between two ends of batches; counted a batch, so that ten million cost no more than a thousand."""
    marks = ",".join("?" * len(lists))
    query = f"SELECT ifnull(sum(records), 0) FROM tally WHERE listing IN ({marks}) AND batch > ? AND batch <= ?"  # noqa: S608
    return int(connection.execute(query, (*lists, after, bound)).fetchone()[0])


def page(
    connection: sqlite3.Connection, lists: Sequence[int], after: int, bound: int, limit: int, stored: str | None
) -> tuple[list[Row], bool]:
    """The next rows of the lists behind `after`, and whether there are more up to `bound`. `stored` is the table of bodies, None for none."""
    if not lists or after >= bound:
        return [], False
    part = "SELECT place FROM member WHERE listing = ? AND place > ? AND place <= ? ORDER BY place LIMIT ?"
    several = " UNION ALL ".join([f"SELECT place FROM ({part})"] * len(lists)) + " ORDER BY place LIMIT ?"  # noqa: S608
    places = part if len(lists) == 1 else several
    given: list[int] = [value for id in lists for value in (id, after, bound, limit + 1)]
    found = _rows(connection, places, given if len(lists) == 1 else [*given, limit + 1], stored)
    rows: list[Row] = []
    held = 0
    for row in found:
        if len(rows) == limit or (rows and held + len(row.body or b"") > PAGE_BYTES):
            return rows, True
        held += len(row.body or b"")
        rows.append(row)
    return rows, False


def newest(connection: sqlite3.Connection, lists: Sequence[int], dated: int, stored: str | None) -> list[Row]:
    """The lists' last record up to the date, if they have one."""
    _, bound = span(connection, None, None, dated)
    places = [
        found
        for id in lists
        if (found := connection.execute("SELECT max(place) FROM member WHERE listing = ? AND place <= ?", (id, bound)).fetchone()[0])
    ]
    return list(_rows(connection, "SELECT ? AS place", [max(places)], stored)) if places else []


def record(connection: sqlite3.Connection, local: str, stored: str | None) -> Row | None:
    """The record with this local id."""
    return next(_rows(connection, "SELECT place FROM record WHERE local = ?", [local], stored), None)


def _rows(connection: sqlite3.Connection, places: str, given: Sequence[int | str], stored: str | None) -> Iterator[Row]:
    body, join = ("b.body", f"LEFT JOIN {stored} AS b ON b.place = p.place") if stored else ("NULL", "")
    query = (
        f"SELECT r.place, r.local, r.datestamp, r.shelf, r.deleted, {body} FROM ({places}) AS p "  # noqa: S608  (parts of our own)
        f"CROSS JOIN record AS r ON r.place = p.place {join} ORDER BY p.place"
    )
    for place, local, datestamp, shelf, deleted, packed in connection.execute(query, given):
        yield Row(place, local, datestamp, shelf, bool(deleted), None if packed is None else unpack(packed))


def shelf(connection: sqlite3.Connection, id: int) -> Shelf:
    """The shelf with this id; it never changes."""
    kind, format, sets = connection.execute("SELECT class, format, sets FROM shelf WHERE id = ?", (id,)).fetchone()
    return Shelf(kind, format, tuple(sets.split()))


def sets(connection: sqlite3.Connection, after: str, limit: int) -> list[tuple[str, str]]:
    """(setSpec, name) behind `after`, in order."""
    return connection.execute("SELECT spec, name FROM setspec WHERE spec > ? ORDER BY spec LIMIT ?", (after, limit)).fetchall()


def count_sets(connection: sqlite3.Connection) -> int:
    """How many sets there are."""
    return int(connection.execute("SELECT count(*) FROM setspec").fetchone()[0])
