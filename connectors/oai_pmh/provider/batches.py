"""Writing batches: records that are new, changed or deleted get the next places and become visible together."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.oai_pmh.provider.compose import Composed
from connectors.oai_pmh.provider.horizon import next_datestamp
from connectors.oai_pmh.provider.index import writing


@dataclass(frozen=True)
class Known:
    """What the index has of a record."""

    place: int
    local: str
    shelf: int
    deleted: bool
    source: int | None
    row_hash: int
    content: int


@dataclass
class Batch:
    """Changes that are written together. `new`: the record, its file and row hash, and what the index had of it. `gone`: rows that are no
    longer there. `same`: place, file and row hash of records whose content did not change, which stay where they are.
    """

    new: list[tuple[Composed, int, int, Known | None]] = field(default_factory=list)
    gone: list[Known] = field(default_factory=list)
    same: list[tuple[int | None, int, int]] = field(default_factory=list)


def known(connection: sqlite3.Connection, locals_: Iterable[str]) -> dict[str, Known]:
    """What the index has of these records."""
    import json

    query = "SELECT place, local, shelf, deleted, source, row_hash, content FROM record WHERE local IN (SELECT value FROM json_each(?))"
    return {row[1]: Known(*row) for row in connection.execute(query, (json.dumps(list(locals_)),))}


class Shelves:
    """Shelves and listings by id, made when they are first needed. To be used inside a write transaction, by the one writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ids: dict[tuple[int, str, str], int] = {}
        self._listings: dict[int, list[int]] = {}

    def id_of(self, kind: int, format: str, sets: str) -> int:
        """The shelf's id."""
        key = (kind, format, sets)
        if key not in self._ids:
            self._connection.execute("INSERT OR IGNORE INTO shelf (class, format, sets) VALUES (?, ?, ?)", key)
            [(id,)] = self._connection.execute("SELECT id FROM shelf WHERE (class, format, sets) = (?, ?, ?)", key)
            self._ids[key] = id
        return self._ids[key]

    def listings(self, shelf: int) -> list[int]:
        """Ids of the lists that its records are in."""
        if shelf not in self._listings:
            [(kind, sets)] = self._connection.execute("SELECT class, sets FROM shelf WHERE id = ?", (shelf,))
            specs = ["", *sets.split(), *({"query"} if " query:" in f" {sets}" else ())]
            self._connection.executemany("INSERT OR IGNORE INTO listing (spec, class) VALUES (?, ?)", [(spec, kind) for spec in specs])
            found = (
                self._connection.execute("SELECT id FROM listing WHERE spec = ? AND class = ?", (spec, kind)).fetchone()[0]
                for spec in specs
            )
            self._listings[shelf] = list(found)
        return self._listings[shelf]


def write(connection: sqlite3.Connection, batch: Batch) -> int:
    """Write a batch in one transaction; returns how many records harvesters will see as changed."""
    if not (batch.new or batch.gone or batch.same):
        return 0
    with writing(connection):
        connection.executemany(
            "UPDATE record SET source = ?, row_hash = ? WHERE place = ?", [(file, hash_, at) for file, hash_, at in batch.same]
        )
        if batch.new or batch.gone:
            _move(connection, batch)
    return len(batch.new) + len(batch.gone)


def _move(connection: sqlite3.Connection, batch: Batch) -> None:
    shelves = Shelves(connection)
    datestamp = next_datestamp(connection)
    place = first = 1 + max(
        connection.execute("SELECT ifnull((SELECT max(place) FROM record), 0), ifnull((SELECT max(last_place) FROM batch), 0)").fetchone()
    )
    left = [old for _, _, _, old in batch.new if old] + batch.gone
    _take_out(connection, left, shelves)
    records: list[tuple[object, ...]] = []
    dc, marc, members = [], [], []
    tally: Counter[int] = Counter()
    for one, source, row_hash, old in batch.new:
        # A record that is deleted keeps the place in the lists that it had, whatever its last row says.
        shelf = old.shelf if one.deleted and old else shelves.id_of(one.kind, one.format, one.sets)
        records.append((place, one.local, datestamp, shelf, one.deleted, source, row_hash, one.content))
        if one.dc is not None:
            dc.append((place, one.dc))
        if one.marc is not None:
            marc.append((place, one.marc))
        members += [(listing, place) for listing in shelves.listings(shelf)]
        tally.update(shelves.listings(shelf))
        place += 1
    for old in batch.gone:
        records.append((place, old.local, datestamp, old.shelf, True, None, 0, 0))
        members += [(listing, place) for listing in shelves.listings(old.shelf)]
        tally.update(shelves.listings(old.shelf))
        place += 1
    connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)
    connection.executemany("INSERT INTO dc VALUES (?, ?)", dc)
    connection.executemany("INSERT INTO marc VALUES (?, ?)", marc)
    connection.executemany("INSERT INTO member VALUES (?, ?)", sorted(members))
    last = place - 1
    assert last >= first
    connection.execute("INSERT INTO batch VALUES (?, ?)", (last, datestamp))
    connection.executemany("INSERT INTO tally VALUES (?, ?, ?)", [(listing, last, count) for listing, count in tally.items()])


def _take_out(connection: sqlite3.Connection, left: list[Known], shelves: Shelves) -> None:
    """Take records off their old places: they are put at the end in the same transaction."""
    if not left:
        return
    places = [(old.place,) for old in left]
    for table in ("dc", "marc", "record"):
        connection.executemany(f"DELETE FROM {table} WHERE place = ?", places)  # noqa: S608  (three names of ours)
    pairs = [(listing, old.place) for old in left for listing in shelves.listings(old.shelf)]
    connection.executemany("DELETE FROM member WHERE listing = ? AND place = ?", pairs)
    batch = "(SELECT min(last_place) FROM batch WHERE last_place >= ?)"
    connection.executemany(f"UPDATE tally SET records = records - 1 WHERE listing = ? AND batch = {batch}", pairs)  # noqa: S608
