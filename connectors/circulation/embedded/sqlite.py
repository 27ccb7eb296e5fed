"""The embedded store's rows in a file of SQLite: a connection that reads what is committed, and writes in a transaction until `commit`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from include.engine.durable import sync_folder

Row = dict[str, Any]


class Sqlite:
    """One file. `read_only` sees what was committed when it first looked, while another connection goes on writing."""

    def __init__(self, path: Path, ddl: str, *, read_only: bool = False) -> None:
        self.path, self._ddl = path, ddl
        where = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self._db = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._db.row_factory = _row
        self._execute = self._db.execute
        if read_only:
            self._db.execute("BEGIN")
            return
        # NORMAL keeps a file whole over a crash and may lose the last commits; the journal has them.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(ddl)

    def one(self, query: str, values: tuple[Any, ...] = ()) -> Row | None:
        """The first row of an answer."""
        found: Row | None = self._execute(query, values).fetchone()
        return found

    def all(self, query: str, values: tuple[Any, ...] = ()) -> list[Row]:
        """Every row of an answer."""
        return self._execute(query, values).fetchall()

    def stream(self, query: str) -> Iterator[Row]:
        """The same, row by row."""
        yield from self._db.execute(query)

    def column(self, query: str) -> Iterator[Any]:
        """The one column of an answer, many values a second."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        return map(itemgetter(0), cursor.execute(query))

    def run(self, query: str, values: Any = ()) -> None:
        """Change something."""
        self._begin()
        self._execute(query, values)

    def many(self, query: str, rows: Any) -> None:
        """The same change with many values."""
        self._begin()
        self._db.executemany(query, rows)

    def commit(self) -> None:
        """Keep what was changed."""
        if self._db.in_transaction:
            self._execute("COMMIT")

    def close(self) -> None:
        """Close without keeping what was not committed."""
        self._db.close()

    @property
    def writing(self) -> bool:
        """Whether something was changed and is not kept yet."""
        return self._db.in_transaction

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._execute("BEGIN IMMEDIATE")

    def reader(self) -> Sqlite:
        """What is committed, for another thread."""
        return Sqlite(self.path, "", read_only=True)

    def successor(self) -> Sqlite:
        """An empty store beside this one, that may take its place."""
        path = self.path.with_suffix(".next.db")
        for old in (path, *_beside(path)):
            old.unlink(missing_ok=True)
        made = Sqlite(path, self._ddl)
        path.chmod(0o600)
        return made

    def replace(self, successor: Sqlite) -> Sqlite:
        """Put a committed successor in this one's place, at one stroke; both are closed by it. OSError where somebody else reads this one."""
        successor.close()
        self.close()
        if any(one.exists() for one in (*_beside(self.path), *_beside(successor.path))):
            raise OSError(f"{self.path.name} is open elsewhere: its write-ahead log would be taken for its successor's")
        successor.path.replace(self.path)
        sync_folder(self.path.parent)
        return self.again()

    def again(self) -> Sqlite:
        """The same store, opened once more."""
        return Sqlite(self.path, self._ddl)


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}
