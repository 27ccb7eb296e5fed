"""The provider's own memory, in SQLite: what harvesters can see, in the order in which it became visible, and what is deleted.

A record has one `place`, a number that only grows: whatever changes gets a new place at the end, in a batch that becomes visible at one
second. So the list of all records is ordered by place, by (datestamp, place) and by time alike, a page of it is a range, and a list that was
begun has an end that does not move: the last place of its first day. Decision: docs/decisions/oai-provider-index.md.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.engine.errors import BinderyError, Unreachable

VERSION = 1  # in the file's name: another shape is another file
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE horizon (id INTEGER PRIMARY KEY CHECK (id = 1), promised INTEGER NOT NULL);
-- A batch becomes visible at its datestamp (seconds since 1970): the places up to last_place, from behind the batch before it.
CREATE TABLE batch (last_place INTEGER PRIMARY KEY, datestamp INTEGER NOT NULL);
CREATE INDEX batch_datestamp ON batch (datestamp, last_place);
CREATE TABLE record (
    place INTEGER PRIMARY KEY,
    local TEXT NOT NULL UNIQUE,  -- the part of the identifier that is the record's own
    datestamp INTEGER NOT NULL,
    shelf INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    source INTEGER,  -- the lake's file that holds the row; null when the row is gone
    row_hash INTEGER NOT NULL,  -- of the lake's row and of the settings under which it was read
    content INTEGER NOT NULL  -- hash of what harvesters get
);
CREATE INDEX record_source ON record (source) WHERE source IS NOT NULL;
CREATE TABLE dc (place INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE marc (place INTEGER PRIMARY KEY, body BLOB NOT NULL);
-- What all records of a kind have in common: class (formats.py), the MARC's name, and the sets, separated by blanks.
CREATE TABLE shelf (id INTEGER PRIMARY KEY, class INTEGER NOT NULL, format TEXT NOT NULL, sets TEXT NOT NULL, UNIQUE (class, format, sets));
-- A list that can be asked for: a set ("" is everything) and a class.
CREATE TABLE listing (id INTEGER PRIMARY KEY, spec TEXT NOT NULL, class INTEGER NOT NULL, UNIQUE (spec, class));
CREATE TABLE member (listing INTEGER, place INTEGER, PRIMARY KEY (listing, place)) WITHOUT ROWID;
CREATE TABLE tally (listing INTEGER, batch INTEGER, records INTEGER NOT NULL, PRIMARY KEY (listing, batch)) WITHOUT ROWID;
CREATE TABLE setspec (spec TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE source (
    id INTEGER PRIMARY KEY, partner TEXT NOT NULL, path TEXT NOT NULL, print TEXT NOT NULL, done INTEGER NOT NULL, UNIQUE (partner, path, print)
);
"""


def file_in(folder: Path) -> Path:
    """The index in its folder."""
    return folder / f"provider-{VERSION}.sqlite"


def create(file: Path) -> None:
    """Make an empty index unless there is one; whole or not at all. One process at a time: see follow.only_writer."""
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(file, make=True)
    try:
        if _made(connection):
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN IMMEDIATE;\n{_SCHEMA}")
        now = int(time.time())
        connection.executemany("INSERT INTO meta VALUES (?, ?)", {"generation": secrets.token_hex(4), "born": str(now)}.items())
        connection.execute("INSERT INTO horizon VALUES (1, ?)", (now,))
        connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        raise damaged(file, error) from error
    finally:
        connection.close()


def _made(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'source'").fetchone() is not None


def connect(file: Path, *, make: bool = False) -> sqlite3.Connection:
    """A connection in autocommit; any thread may use it, one at a time. Unreachable OAI_INDEX_MISSING when there is no index yet."""
    mode = "rwc" if make else "rw"
    try:
        connection = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=30
        )
        if not make and not _made(connection):
            connection.close()
            raise sqlite3.OperationalError("no table")
    except sqlite3.OperationalError:
        raise Unreachable(
            "the provider's index is not there yet.",
            where=file.name,
            do="It is made by: python -m connectors.oai_pmh index",
            code="OAI_INDEX_MISSING",
        ) from None
    except sqlite3.DatabaseError as error:
        raise damaged(file, error) from None
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -32000")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def damaged(file: Path, error: sqlite3.Error) -> BinderyError:
    """The error for an index that SQLite cannot read; what may pass (a full disk, a lock that is held too long) is told apart."""
    if isinstance(error, sqlite3.OperationalError):
        do = "Look at its disk. Nothing is lost: the next try finds what is missing."
        return Unreachable(f"the provider's index cannot be used now ({error}).", where=file.name, do=do, code="OAI_INDEX_TROUBLE")
    return BinderyError(
        f"the provider's index cannot be read ({error}).",
        where=file.name,
        do="Put back a copy; or remove it: it is made anew, with new datestamps and without the memory of what was deleted.",
        code="OAI_INDEX_DAMAGED",
    )


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: all or nothing, also when the process dies."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def meta(connection: sqlite3.Connection) -> dict[str, str]:
    """What the index says of itself: generation (hex), born (seconds), and what the last look at the lake left."""
    return dict(connection.execute("SELECT name, value FROM meta"))
