"""Rows of the embedded store, and the one way to change them: changes, as they stand in the journal.

A change is `[table, row]` to put a row, or `["-table", key]` to take one away. Making the same changes again gives the same rows, so a
store that a crash left behind is brought up to date by the journal's entries alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

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
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names of our own


_PUT = {table: _put(table, columns) for table, columns in _COLUMNS.items()}
_TAKE = {table: f"DELETE FROM {table} WHERE {columns[0]} = ?" for table, columns in _COLUMNS.items()}  # noqa: S608 - names of our own


class Store:
    """One file, one connection, one thread. Changes are in an open transaction until `commit`.

    `applied` is the number of the journal's entry up to which its changes are in.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._db.row_factory = _row
        # NORMAL keeps a file whole over a crash and may lose the last commits; the journal has them.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)
        found = self._db.execute("SELECT value FROM state WHERE name = 'applied'").fetchone()
        self.applied: int = found["value"] if found else 0
        self._db.execute("BEGIN IMMEDIATE")

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
        yield from self._db.execute(f"SELECT * FROM {table} ORDER BY {_COLUMNS[table][0]}")  # noqa: S608 - names of our own

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes, in order. ValueError for one that is none."""
        for table, value in changes:
            if table in _PUT:
                self._db.execute(_PUT[table], [value[name] for name in _COLUMNS[table]])
            elif table[1:] in _TAKE:
                self._db.execute(_TAKE[table[1:]], (value,))
            else:
                raise ValueError(f"{table!r} is no table of the store")

    def fill(self, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Put many rows; what a row does not name has the table's default. Returns how many."""
        count = 0
        for row in rows:
            names = [name for name in _COLUMNS[table] if name in row]
            self._db.execute(_put(table, tuple(names)), [row[name] for name in names])
            count += 1
        return count

    def forget(self, before: int) -> None:
        """Drop the memory of requests done before that second: nobody asks for them again."""
        self._db.execute("DELETE FROM done WHERE at < ?", (before,))

    def commit(self) -> None:
        """Keep what was applied, up to `applied`. Call it only when the journal is durable up to there."""
        self._db.execute("INSERT OR REPLACE INTO state VALUES ('applied', ?)", (self.applied,))
        self._db.execute("COMMIT")
        self._db.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Close without keeping what was not committed."""
        self._db.execute("ROLLBACK")
        self._db.close()

    def _one(self, query: str, *values: Any) -> Row | None:
        found: Row | None = self._db.execute(query, values).fetchone()
        return found

    def _all(self, query: str, *values: Any) -> list[Row]:
        return self._db.execute(query, values).fetchall()


_GET = {table: f"SELECT * FROM {table} WHERE {columns[0]} = ?" for table, columns in _COLUMNS.items()}  # noqa: S608 - names of our own


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}
