"""The last second of which everything is known: why a harvester that goes by our dates misses nothing.

Who gives an answer dated R promises that no record with a datestamp up to R will appear later. The promise is written down first, at most
once a second; who publishes a batch holds the write lock and takes a datestamp behind every promise. So the order of promise and batch is
decided by SQLite's lock and by no clock: neither a slow commit, nor a stopped process, nor a clock that jumps back can lose a record.
"""

from __future__ import annotations

import sqlite3
import time


def promise(connection: sqlite3.Connection, now: float | None = None) -> int:
    """The date of an answer that is read from now on: this second, or the last promised one while somebody is writing."""
    second = int(time.time() if now is None else now)
    promised = _promised(connection)
    if promised >= second:
        return promised
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("UPDATE horizon SET promised = max(promised, ?)", (second,))
        return second
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return promised  # an older promise is kept just as well
    finally:
        connection.execute("PRAGMA busy_timeout = 30000")


def next_datestamp(connection: sqlite3.Connection) -> int:
    """The datestamp of a batch; inside a write transaction, which no promise can overtake. It is never before the last batch's."""
    last = connection.execute("SELECT max(datestamp) FROM batch").fetchone()[0] or 0
    return max(int(time.time()) + 1, _promised(connection) + 1, int(last))


def _promised(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT promised FROM horizon").fetchone()[0])
