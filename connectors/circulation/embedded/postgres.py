"""The embedded store's rows in a schema of PostgreSQL: one connection that writes, in a transaction that is open between commits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from connectors.circulation.backend import Away

Row = dict[str, Any]

_PATIENCE: dict[str, Any] = {
    "connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3
}  # fmt: skip
"""A server that has vanished without a word is away after seconds, not after the minutes of TCP. An address that says otherwise counts."""


class Postgres:
    """One schema of a database. Away when the database cannot be reached: what was not committed is in the journal.

    Whatever breaks its transaction closes it, so that it stays away until `again`: nothing may be decided on rows that lack some. `at_once`:
    no transaction stays open, for a store that is read alone.
    """

    def __init__(self, dsn: str, schema: str, ddl: str, *, read_only: bool = False, at_once: bool = False) -> None:
        self._dsn, self.schema, self._ddl, self._at_once = dsn, schema, ddl, at_once
        with _told():
            self._db = psycopg.connect(
                **_PATIENCE | conninfo_to_dict(_plain(dsn)), row_factory=dict_row, prepare_threshold=2, client_encoding="UTF8"
            )
        with _told(self._db):
            self._db.execute(SQL("SET search_path TO {}").format(Identifier(schema)))
            if read_only:
                self._db.commit()
                self._db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                return
            self._db.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(schema)))
            for statement in _ours(ddl):
                self._db.execute(statement)
            self._db.commit()
            self._db.execute("SET synchronous_commit = off")  # a commit that is lost is in the journal
            self._db.commit()
            self._db.autocommit = at_once

    def one(self, query: str, values: tuple[Any, ...] = ()) -> Row | None:
        """The first row of an answer."""
        with _told(self._db):
            return self._db.execute(_marked(query), values).fetchone()

    def all(self, query: str, values: tuple[Any, ...] = ()) -> list[Row]:
        """Every row of an answer."""
        with _told(self._db):
            return self._db.execute(_marked(query), values).fetchall()

    def stream(self, query: str) -> Iterator[Row]:
        """The same, row by row."""
        with _told(self._db), self._db.cursor(name="rows") as cursor:
            yield from cursor.execute(query)

    def run(self, query: str, values: Any = ()) -> None:
        """Change something."""
        with _told(self._db):
            self._db.execute(_marked(query), values)

    def many(self, query: str, rows: Any) -> None:
        """The same change with many values."""
        with _told(self._db), self._db.cursor() as cursor:
            cursor.executemany(_marked(query), rows)

    def commit(self) -> None:
        """Keep what was changed."""
        with _told(self._db):
            self._db.commit()

    def close(self) -> None:
        """Close without keeping what was not committed. What was is on the server's disk then, be it in the journal or not (a fill)."""
        try:
            self._db.rollback()
            self._db.autocommit = False
            self._db.execute("SET LOCAL synchronous_commit = on")
            self._db.execute("UPDATE state SET value = value")  # a commit waits for what was written before it
            self._db.commit()
        except psycopg.Error:
            pass  # it is away, or only reads
        self._db.close()

    def reader(self) -> Postgres:
        """What is committed, for another thread."""
        return Postgres(self._dsn, self.schema, "", read_only=True)

    def successor(self) -> Postgres:
        """An empty store beside this one, that may take its place."""
        name = f"{self.schema}_next"
        with _told(), psycopg.connect(_plain(self._dsn), autocommit=True) as other:
            other.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))
        return Postgres(self._dsn, name, self._ddl)

    def replace(self, successor: Postgres) -> Postgres:
        """Put a committed successor in this one's place, at one stroke; both are closed by it."""
        successor.close()
        self.close()
        with _told(), psycopg.connect(_plain(self._dsn)) as other:  # one transaction
            both = Identifier(successor.schema), Identifier(self.schema)
            # Whose it is stays (owning.py).
            other.execute(
                SQL("INSERT INTO {}.state SELECT * FROM {}.state WHERE name = 'installation' ON CONFLICT DO NOTHING").format(*both)
            )
            other.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(self.schema)))
            other.execute(SQL("ALTER SCHEMA {} RENAME TO {}").format(Identifier(successor.schema), Identifier(self.schema)))
        return self.again()

    def again(self) -> Postgres:
        """The same store, opened once more."""
        self.close()
        return Postgres(self._dsn, self.schema, self._ddl, at_once=self._at_once)


class _told:
    """Trouble with the database as the sidecar's own: the library system is away. A connection whose transaction is lost is closed."""

    def __init__(self, db: psycopg.Connection[Any] | None = None) -> None:
        self._db = db

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, psycopg.Error):
            return
        lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        if self._db is not None and (lost or self._db.info.transaction_status == TransactionStatus.INERROR):
            lost = True
            self._db.close()
        if lost:
            raise Away(f"the store's database does not answer ({type(error).__name__}).", do="See that PostgreSQL runs.") from None


def _plain(dsn: str) -> str:
    """An address as psycopg takes it: SQLAlchemy's names a driver too."""
    return re.sub(r"^postgresql\+\w+://", "postgresql://", dsn)


@cache
def _marked(query: str) -> str:
    """Our placeholders as psycopg's."""
    return query.replace("%", "%%").replace("?", "%s")


def _ours(ddl: str) -> list[str]:
    """The statements of schema.sql in PostgreSQL's words: wide integers, and texts in the order of their bytes, as SQLite has them."""
    text = re.sub(r"--[^\n]*", "", ddl).replace(" WITHOUT ROWID", "").replace("INTEGER", "BIGINT").replace(" TEXT", ' TEXT COLLATE "C"')
    return [statement.strip() for statement in text.split(";") if statement.strip()]
