"""The connection to the ledger: SQLite embedded, PostgreSQL in production, the same behaviour on both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from include.engine import clock
from include.engine.errors import SettingsError, UnknownDelivery, Unreachable, WrongState
from include.engine.ledger.schema import HEAD

BUSY_SECONDS = 60
_WRITES = "bindery_writes"
_SILENCE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""When a PostgreSQL server that is not there any more is given up (libpq's parameters; seconds, and milliseconds for the last): after a minute,
and not after the system's own two hours."""


class Ledger:
    """The ledger at `url` (`sqlite:////abs/ledger.db` or `postgresql+psycopg2://...`).

    It keeps no connection between transactions (NullPool), so it may be made before a fork and shared by threads.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = _parse(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if self.sqlite:
            self._engine = _sqlite_engine(parsed)
        else:
            options: dict[str, Any] = {"options": "-c timezone=UTC", "connect_timeout": 10}
            self._engine = sa.create_engine(parsed, poolclass=NullPool, hide_parameters=True, connect_args=options | _SILENCE)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        self._reader = (
            self._engine if self.sqlite else self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )

    def __repr__(self) -> str:
        return f"Ledger({_parse(self.url).render_as_string(hide_password=True)!r})"

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A write transaction: committed, durably, at the end of the block; rolled back on an exception.

        On SQLite it is BEGIN IMMEDIATE: writers stand in line for up to a minute instead of being refused half-way.
        Raises Unreachable when the database cannot be reached or stays locked.
        """
        with _said_plainly(self), self._writer.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A read transaction: all of its statements see the ledger as it was at one moment. It never waits for writers."""
        with _said_plainly(self), self._reader.begin() as tx:
            yield tx

    @contextmanager
    def autocommit(self) -> Iterator[sa.Connection]:
        """A connection outside any transaction, for what must stand alone: a checkpoint, a vacuum."""
        with _said_plainly(self):
            connection = self._engine.execution_options(isolation_level="AUTOCOMMIT").connect()
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Make many transactions in a row faster: SQLite otherwise copies its log into the file, with three waits for the disk, whenever
        the last connection closes. Each transaction in the block is as durable as ever. Do not fork inside the block."""
        if not self.sqlite:
            yield
            return
        with self.autocommit() as anchor:
            anchor.exec_driver_sql("SELECT 1 FROM sqlite_master").fetchall()
            yield

    def breathe(self) -> None:
        """Between two of many write transactions: whoever waits to write gets in. On SQLite they do not stand in line, but ask ten times a second."""
        if self.sqlite:
            time.sleep(0.11)

    def writing(self, tx: sa.Connection | None) -> Context[sa.Connection]:
        """`tx` itself, left open for its owner, or a write transaction of our own."""
        return self.begin() if tx is None else nullcontext(tx)

    def reading(self, tx: sa.Connection | None) -> Context[sa.Connection]:
        """`tx` itself, or a read transaction of our own."""
        return self.read() if tx is None else nullcontext(tx)

    def now(self, tx: sa.Connection) -> datetime:
        """The clock that every holder of a lease agrees on: the database server's; on SQLite, where all are on one machine, ours."""
        if self.sqlite:
            return clock.now()
        at: datetime = tx.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return at.astimezone(UTC)

    def lock(self, tx: sa.Connection, name: str) -> None:
        """Until the end of `tx`, no other transaction gets past `lock` with this name. On SQLite a write transaction is alone anyway."""
        if not self.sqlite:
            tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))

    def migrate(self) -> None:
        """Bring the ledger's tables to this version. Any number of processes may call it at once; cheap when there is nothing to do."""
        if self.sqlite:
            _into_wal(self)
        if self.revision() != HEAD:
            from include.engine.ledger.migrations.run import upgrade  # Alembic is slow to import, and seldom needed

            upgrade(self)

    def revision(self) -> str | None:
        """The revision of the tables that are there, None for an empty database."""
        with self.read() as tx:
            if not sa.inspect(tx).has_table("alembic_version"):
                return None
            found: str | None = tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
            return found


def _parse(url: str) -> sa.URL:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError(
            "the ledger's address names a database that is not supported.", do="Use sqlite:///... or postgresql+psycopg2://..."
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise SettingsError("the ledger must be a file.", do="Write sqlite:////absolute/path/ledger.db.")
    return parsed


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    file = Path(str(url.database))
    file.parent.mkdir(parents=True, exist_ok=True)
    # The path is made absolute so that a later change of directory cannot lead to a second, empty ledger.
    place = url.set(database=str(file.absolute()))
    engine = sa.create_engine(place, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be a plain one
        for pragma in (f"busy_timeout = {BUSY_SECONDS * 1000}", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")

    return engine


def _into_wal(ledger: Ledger) -> None:
    """Set write-ahead logging, which stays set in the file. Switching to it ignores busy_timeout, so it is tried again."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        connection = ledger._engine.raw_connection()
        try:
            if connection.cursor().execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        except ledger._engine.dialect.loaded_dbapi.OperationalError as error:
            if time.monotonic() > deadline:
                raise Unreachable("the ledger stays locked by another program.", do="Stop what holds its file open.") from error
        finally:
            connection.close()
        time.sleep(0.05)


@contextmanager
def _said_plainly(ledger: Ledger) -> Iterator[None]:
    """Errors of the database in our own words: below its first line a driver may show the values of a row."""
    try:
        yield
    except sa.exc.OperationalError as error:
        raise Unreachable(f"the ledger did not answer: {_first_line(error)}.", where=repr(ledger), do="A retry may help.") from None
    except sa.exc.IntegrityError as error:
        first = _first_line(error)
        if "foreign key" in first.lower():
            raise UnknownDelivery("the ledger has no delivery with the id that a row names.", do="Enter the delivery first.") from None
        raise WrongState(f"the ledger refuses a row: {first}.", where=repr(ledger)) from None


def _first_line(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
