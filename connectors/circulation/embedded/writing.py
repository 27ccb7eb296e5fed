"""Changes on their way into the store's database, many rows with one statement."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from time import sleep

from connectors.circulation.embedded.direct import COLUMNS, Database
from connectors.circulation.embedded.memory import Changed

AT_ONCE = 64
"""Rows of one statement. A thread waits for the interpreter before each statement, and others run meanwhile."""
PAUSE_SECONDS = 0.0005


@dataclass(frozen=True)
class Behind:
    """What the database `of` has to be told to be up to the journal's entry `applied`. `forget`: see Store.forget."""

    of: Database
    changed: Changed
    applied: int
    forget: int | None


def putting(table: str, columns: tuple[str, ...], rows: int = 1) -> str:
    """The statement that puts rows, whether they are there or not."""
    there = ", ".join(f"{name} = excluded.{name}" for name in columns[1:]) or f"{columns[0]} = excluded.{columns[0]}"
    values = ", ".join([f"({', '.join('?' * len(columns))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT ({columns[0]}) DO UPDATE SET {there}"  # noqa: S608 - names of our own


def _taking(table: str, rows: int = 1) -> str:
    return f"DELETE FROM {table} WHERE {COLUMNS[table][0]} IN ({', '.join('?' * rows)})"  # noqa: S608 - names of our own


PUT = {table: putting(table, columns) for table, columns in COLUMNS.items()}
TAKE = {table: _taking(table) for table in COLUMNS}
_PUT_MANY = {table: putting(table, columns, AT_ONCE) for table, columns in COLUMNS.items()}
_TAKE_MANY = {table: _taking(table, AT_ONCE) for table in COLUMNS}


def write(db: Database, behind: Behind, pause: float = 0) -> None:
    """Bring the database up to `behind`, in one transaction. `pause`: seconds after each statement, so that who answers is not held up."""
    put_changes(db, behind.changed, pause)
    if behind.forget is not None:
        db.run("DELETE FROM done WHERE at < ?", (behind.forget,))
    db.run("INSERT INTO state VALUES ('applied', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (behind.applied,))
    db.commit()


def put_changes(db: Database, changed: Changed, pause: float = 0) -> None:
    """Put what is there and take away what is gone."""
    for table, rows in changed.items():
        puts = [row for row in rows.values() if row is not None]
        takes = [key for key, row in rows.items() if row is None]
        for begin in range(0, len(puts), AT_ONCE):
            values = [[row[name] for name in COLUMNS[table]] for row in puts[begin : begin + AT_ONCE]]
            if len(values) == AT_ONCE:
                db.run(_PUT_MANY[table], list(chain.from_iterable(values)))
            else:
                db.many(PUT[table], values)
            sleep(pause)
        for begin in range(0, len(takes), AT_ONCE):
            keys = takes[begin : begin + AT_ONCE]
            if len(keys) == AT_ONCE:
                db.run(_TAKE_MANY[table], keys)
            else:
                db.many(TAKE[table], [(key,) for key in keys])
            sleep(pause)
