"""Questions to the store's database, each answered by it alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self

Row = dict[str, Any]

COLUMNS = {
    "patron": ("patron", "name", "category", "language", "home_library", "valid_until", "birth_date", "municipality", "pin", "block",
               "address", "email", "phone"),
    "card": ("card", "patron"),
    "item": ("item", "title_id", "title", "status", "material", "owner", "location", "call_number", "properties", "magnetic", "hold"),
    "loan": ("item", "patron", "loaned_at", "due", "renewals"),
    "hold": ("hold", "patron", "title_id", "item", "pickup", "placed", "expires", "ready"),
    "fee": ("fee", "patron", "kind", "outstanding", "title"),
    "returned": ("item", "patron", "loaned_at", "due", "renewals", "at"),
    "filled": ("item", "patron", "loaned_at", "at", "status", "hold", "holds"),
    "done": ("key", "at", "outcome"),
    "conflict": ("number", "at", "reason", "asked", "found"),
}  # fmt: skip
"""Each table's columns; the first is its key."""

_GET = {table: f"SELECT * FROM {table} WHERE {columns[0]} = ?" for table, columns in COLUMNS.items()}  # noqa: S608 - names of our own


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


class Reads(Protocol):
    """What the rules ask of the store."""

    def get(self, table: str, key: str | int) -> Row | None:
        """The row of `table` with that key."""
        ...

    def patron_of(self, card: str) -> Row | None:
        """The patron whose card this is."""
        ...

    def loans_of(self, patron: str) -> list[Row]:
        """The patron's loans with their titles, oldest first."""
        ...

    def holds_of(self, patron: str) -> list[Row]:
        """The patron's holds, oldest first, with the number of those before each."""
        ...

    def fees_of(self, patron: str) -> list[Row]:
        """What the patron owes, by number."""
        ...

    def queue(self, title_id: str) -> list[Row]:
        """The holds on a title in the order in which they are served."""
        ...


class Direct:
    """Reads, one question each."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, table: str, key: str | int) -> Row | None:
        return self._db.one(_GET[table], (key,))

    def patron_of(self, card: str) -> Row | None:
        return self._db.one("SELECT p.* FROM card c JOIN patron p ON p.patron = c.patron WHERE c.card = ?", (card,))

    def loans_of(self, patron: str) -> list[Row]:
        return self._db.all(
            "SELECT l.*, coalesce(i.title, '') AS title, coalesce(i.material, '') AS material "
            "FROM loan l LEFT JOIN item i ON i.item = l.item WHERE l.patron = ? ORDER BY l.loaned_at, l.item",
            (patron,),
        )

    def holds_of(self, patron: str) -> list[Row]:
        return self._db.all(
            "SELECT h.*, (SELECT count(*) FROM hold b WHERE b.title_id = h.title_id AND (b.placed, b.hold) < (h.placed, h.hold)) AS before "
            "FROM hold h WHERE h.patron = ? ORDER BY h.placed, h.hold",
            (patron,),
        )

    def fees_of(self, patron: str) -> list[Row]:
        return self._db.all("SELECT * FROM fee WHERE patron = ? AND outstanding <> 0 ORDER BY fee", (patron,))

    def queue(self, title_id: str) -> list[Row]:
        return self._db.all("SELECT * FROM hold WHERE title_id = ? ORDER BY placed, hold", (title_id,)) if title_id else []
