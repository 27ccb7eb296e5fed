"""Rows of the embedded store, and the one way to change them: changes, as they stand in the journal.

A change is `[table, row]` to put a row, or `["-table", key]` to take one away. Making the same changes again gives the same rows, so a
store that a crash left behind is brought up to date by the journal's entries alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, Self

from connectors.circulation.embedded.sqlite import Sqlite

ADDRESS = "BINDERY_CIRCULATION_STORE"
SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
Row = dict[str, Any]
Change = list[Any]

_COLUMNS = {
    "patron": ("patron", "name", "category", "language", "home_library", "valid_until", "birth_date", "municipality", "pin", "block",
               "address", "email", "phone"),
    "card": ("card", "patron"),
    "item": ("item", "title_id", "title", "status", "material", "owner", "location", "call_number", "properties", "magnetic", "hold"),
    "loan": ("item", "patron", "loaned_at", "due", "renewals"),
    "hold": ("hold", "patron", "title_id", "item", "pickup", "placed", "expires", "ready"),
    "fee": ("fee", "patron", "kind", "outstanding", "title"),
    "returned": ("item", "patron", "loaned_at", "due", "renewals", "at"),
    "done": ("key", "at", "outcome"),
    "conflict": ("number", "at", "reason", "asked", "found"),
}  # fmt: skip
"""Each table's columns; the first is its key."""


def _put(table: str, columns: tuple[str, ...]) -> str:
    there = ", ".join(f"{name} = excluded.{name}" for name in columns[1:]) or f"{columns[0]} = excluded.{columns[0]}"
    values = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT ({columns[0]}) DO UPDATE SET {there}"  # noqa: S608 - names of our own


_PUT = {table: _put(table, columns) for table, columns in _COLUMNS.items()}
_TAKE = {table: f"DELETE FROM {table} WHERE {columns[0]} = ?" for table, columns in _COLUMNS.items()}  # noqa: S608 - names of our own


class Database(Protocol):
    """Where the rows are (sqlite.py, postgres.py): one connection, and a transaction that is open until `commit`. Placeholders are `?`."""

    def one(self, query: str, values: tuple[Any, ...] = ()) -> Row | None: ...
    def all(self, query: str, values: tuple[Any, ...] = ()) -> list[Row]: ...
    def stream(self, query: str) -> Iterator[Row]: ...
    def run(self, query: str, values: Any = ()) -> None: ...
    def many(self, query: str, rows: Any) -> None: ...
    def commit(self) -> None: ...
    def close(self) -> None: ...
    def reader(self) -> Self: ...
    def successor(self) -> Self: ...
    def replace(self, successor: Self) -> Self: ...
    def again(self) -> Self: ...


class Store:
    """One database, one connection, one thread. Changes are in an open transaction until `commit`.

    `applied` is the number of the journal's entry up to which its changes are in.
    """

    def __init__(self, where: Path | Database) -> None:
        self._db: Any = Sqlite(where, SCHEMA) if isinstance(where, Path) else where
        self.applied = self._applied()

    def _applied(self) -> int:
        found = self._db.one("SELECT value FROM state WHERE name = 'applied'")
        return int(found["value"]) if found else 0

    def reader(self) -> Store:
        """What is committed now, for another thread to read."""
        return Store(self._db.reader())

    def successor(self) -> Store:
        """An empty store beside this one, for another thread to fill."""
        return Store(self._db.successor())

    def replace(self, successor: Store) -> None:
        """Become `successor`, which is committed, at one stroke; after trouble this store is what it was when it was last committed."""
        try:
            self._db = self._db.replace(successor._db)
        except OSError:
            self.open_again()
            raise
        self.applied = self._applied()

    def open_again(self) -> None:
        """Connect afresh after trouble; what was not committed is gone from here, and is in the journal."""
        self._db = self._db.again()
        self.applied = self._applied()

    def get(self, table: str, key: str) -> Row | None:
        """The row of `table` with that key."""
        return self._one(_GET[table], key)

    def patron_of(self, card: str) -> Row | None:
        """The patron whose card this is."""
        return self._one("SELECT p.* FROM card c JOIN patron p ON p.patron = c.patron WHERE c.card = ?", card)

    def loans_of(self, patron: str) -> list[Row]:
        """The patron's loans with their titles, oldest first."""
        return self._all(
            "SELECT l.*, coalesce(i.title, '') AS title, coalesce(i.material, '') AS material "
            "FROM loan l LEFT JOIN item i ON i.item = l.item WHERE l.patron = ? ORDER BY l.loaned_at, l.item",
            patron,
        )

    def holds_of(self, patron: str) -> list[Row]:
        """The patron's holds, oldest first, with the number of those before each."""
        return self._all(
            "SELECT h.*, (SELECT count(*) FROM hold b WHERE b.title_id = h.title_id AND (b.placed, b.hold) < (h.placed, h.hold)) AS before "
            "FROM hold h WHERE h.patron = ? ORDER BY h.placed, h.hold",
            patron,
        )

    def fees_of(self, patron: str) -> list[Row]:
        """What the patron owes, by number."""
        return self._all("SELECT * FROM fee WHERE patron = ? AND outstanding <> 0 ORDER BY fee", patron)

    def queue(self, title_id: str) -> list[Row]:
        """The holds on a title in the order in which they are served."""
        return self._all("SELECT * FROM hold WHERE title_id = ? ORDER BY placed, hold", title_id) if title_id else []

    def rows(self, table: str) -> Iterator[Row]:
        """Every row, by key."""
        yield from self._db.stream(f"SELECT * FROM {table} ORDER BY {_COLUMNS[table][0]}")  # noqa: S608 - names of our own

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes, in order. ValueError for one that is none."""
        for table, value in changes:
            if table in _PUT:
                self._db.run(_PUT[table], [value[name] for name in _COLUMNS[table]])
            elif table[1:] in _TAKE:
                self._db.run(_TAKE[table[1:]], (value,))
            else:
                raise ValueError(f"{table!r} is no table of the store")

    def fill(self, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Put many rows; what a row does not name has the table's default. Returns how many."""
        count = 0
        for names, alike in groupby(rows, key=lambda row: tuple(name for name in _COLUMNS[table] if name in row)):
            values = [[row[name] for name in names] for row in alike]
            self._db.many(_put(table, names), values)
            count += len(values)
        return count

    def amend(self, table: str, key: str, values: Mapping[str, Any]) -> None:
        """Change some columns of a row; of one that is not there nothing."""
        names = [name for name in _COLUMNS[table] if name in values]
        query = f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in names)} WHERE {_COLUMNS[table][0]} = ?"  # noqa: S608 - names of our own
        self._db.run(query, (*(values[name] for name in names), key))

    def count(self, table: str) -> int:
        """How many rows there are."""
        found = self._one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - a name of our own
        return int(found["n"]) if found else 0

    def note_conflict(self, number: int, entry: Mapping[str, Any]) -> None:
        """What staff must look at: an entry of the journal that does not fit."""
        at = int(datetime.fromisoformat(entry["at"]).timestamp())
        row = {"number": number, "at": at, "reason": entry["conflict"], "asked": json.dumps(entry["asked"]), "found": entry["reason"]}
        self.apply([["conflict", row]])

    def forget(self, before: int) -> None:
        """Drop the memory of requests done before that second: nobody asks for them again."""
        self._db.run("DELETE FROM done WHERE at < ?", (before,))

    def commit(self) -> None:
        """Keep what was applied, up to `applied`. Call it only when the journal is durable up to there."""
        self._db.run("INSERT INTO state VALUES ('applied', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (self.applied,))
        self._db.commit()

    def close(self) -> None:
        """Close without keeping what was not committed."""
        self._db.close()

    def _one(self, query: str, *values: Any) -> Row | None:
        found: Row | None = self._db.one(query, values)
        return found

    def _all(self, query: str, *values: Any) -> list[Row]:
        found: list[Row] = self._db.all(query, values)
        return found


def store_of(folder: Path) -> Store:
    """The store of a sidecar's folder: a file in it, or (BINDERY_CIRCULATION_STORE, a PostgreSQL address) a schema of the folder's name."""
    address = os.environ.get(ADDRESS, "")
    if not address:
        return Store(folder / "store.db")
    from connectors.circulation.embedded.postgres import Postgres

    return Store(Postgres(address, re.sub(r"\W", "_", folder.name.casefold()), SCHEMA))


_GET = {table: f"SELECT * FROM {table} WHERE {columns[0]} = ?" for table, columns in _COLUMNS.items()}  # noqa: S608 - names of our own
