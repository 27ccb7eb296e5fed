"""Changes on their way into the store's database, many rows with one statement."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from threading import Event
from time import thread_time

from connectors.circulation.embedded.direct import COLUMNS, Database
from connectors.circulation.embedded.memory import Changed

AT_ONCE = 128
"""Rows of one statement. A thread waits for the interpreter before each statement, and others run meanwhile."""
RESTS = 9
"""Between two statements a thread rests so many times as long as the one took it: machines are answered on the same core."""
LONGEST_S = 2.0
"""Seconds of rest in one write, however much it is: the database is not to fall behind."""


class Pace:
    """How a thread that writes leaves the core to the one that answers; for so many rows. It rests no more once somebody waits for it (`hurry`)."""

    def __init__(self, rows: int, hurry: Event) -> None:
        self._hurry = hurry
        self._most = LONGEST_S * AT_ONCE / max(rows, AT_ONCE)
        self._since = thread_time()

    def rest(self) -> None:
        """After a statement."""
        self._hurry.wait(min(RESTS * (thread_time() - self._since), self._most))
        self._since = thread_time()


@dataclass(frozen=True)
class Behind:
    """What the database `of` has to be told to be up to the journal's entry `applied`. `forget`: what was done before that second is
    let go; 0: nothing is."""

    of: Database
    changed: Changed
    applied: int
    forget: int


def putting(table: str, columns: tuple[str, ...], rows: int = 1) -> str:
    """The statement that puts rows, whether they are there or not."""
    there = ", ".join(f"{name} = excluded.{name}" for name in columns[1:]) or f"{columns[0]} = excluded.{columns[0]}"
    values = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT ({columns[0]}) DO UPDATE SET {there}"  # noqa: S608 - names of our own


def _taking(table: str, rows: int = 1) -> str:
    return f"DELETE FROM {table} WHERE {COLUMNS[table][0]} IN ({', '.join('?' * rows)})"  # noqa: S608 - names of our own


_VALUES = {table: itemgetter(*columns) for table, columns in COLUMNS.items()}
PUT = {table: putting(table, columns) for table, columns in COLUMNS.items()}
TAKE = {table: _taking(table) for table in COLUMNS}
_PUT_MANY = {table: putting(table, columns, AT_ONCE) for table, columns in COLUMNS.items()}
_TAKE_MANY = {table: _taking(table, AT_ONCE) for table in COLUMNS}


def write(db: Database, behind: Behind, hurry: Event | None = None) -> None:
    """Bring the database up to `behind`, in one transaction. With `hurry` (see Pace) it is done beside the thread that answers, and at ease."""
    put_changes(db, behind.changed, Pace(sum(map(len, behind.changed.values())), hurry) if hurry else None)
    if behind.forget:
        db.run("DELETE FROM done WHERE at < ?", (behind.forget,))
        db.run("DELETE FROM filled WHERE at < ?", (behind.forget,))
    db.run("INSERT INTO state VALUES ('applied', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (behind.applied,))
    db.commit()


def put_changes(db: Database, changed: Changed, pace: Pace | None = None) -> None:
    """Put what is there and take away what is gone."""
    for table, rows in changed.items():
        values = [_VALUES[table](row) for row in rows.values() if row is not None]
        for begin in range(0, len(values), AT_ONCE):
            some = values[begin : begin + AT_ONCE]
            if len(some) == AT_ONCE:
                db.run(_PUT_MANY[table], list(chain.from_iterable(some)))
            else:
                db.many(PUT[table], some)
            if pace:
                pace.rest()
        takes = [key for key, row in rows.items() if row is None]
        for begin in range(0, len(takes), AT_ONCE):
            keys = takes[begin : begin + AT_ONCE]
            if len(keys) == AT_ONCE:
                db.run(_TAKE_MANY[table], keys)
            else:
                db.many(TAKE[table], [(key,) for key in keys])
            if pace:
                pace.rest()
