"""Rows of the embedded store, and the one way to change them: changes, as they stand in the journal.

A change is `[table, row]` to put a row, or `["-table", key]` to take one away. Making the same changes again gives the same rows, so a
store that a crash left behind is brought up to date by the journal's entries alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path
from threading import Event, Lock
from typing import Any

from connectors.circulation.embedded.direct import COLUMNS, Database, Direct, Reads, Row
from connectors.circulation.embedded.memory import Memory
from connectors.circulation.embedded.sqlite import Sqlite
from connectors.circulation.embedded.writing import PUT, TAKE, Behind, put_changes, putting, write

ADDRESS = "BINDERY_CIRCULATION_STORE"
SCHEMA = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
Change = list[Any]
FORGET_EVERY = 3600
"""Seconds. There is no index by time, which each loan would have to pay for, so that all of what was done is looked through."""


class Store:
    """One database, one thread. `applied` is the number of the journal's entry up to which its changes are in.

    A file of SQLite has a memory before it (memory.py), and changes are there alone until `commit`, or until another thread has written them
    (`behind`, `write`, `written`). Anywhere else changes are in an open transaction until `commit`.
    """

    def __init__(self, where: Path | Database) -> None:
        self._remembers = isinstance(where, Path)
        self._use(Sqlite(where, SCHEMA) if isinstance(where, Path) else where)
        self._writing = Lock()
        self._hurry = Event()
        self._writer: Any = None
        self._forget = self._forgotten = 0
        self.applied = self._committed = self._applied()

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
        with self._alone():
            self._end_writer()
            try:
                self._use(self._db.replace(successor._db))
            except OSError:
                self._use(self._db.again())
                raise
            finally:
                self.applied = self._committed = self._applied()

    def open_again(self) -> None:
        """Connect afresh after trouble; what was not committed is gone from here, and is in the journal."""
        with self._alone():
            self._end_writer()
            self._use(self._db.again())
            self.applied = self._committed = self._applied()

    def _use(self, db: Database) -> None:
        self._db: Any = db
        self._memory = Memory(db) if self._remembers and isinstance(db, Sqlite) else None
        reads: Reads = self._memory or Direct(db)
        # The rules ask these a dozen times a message: they are bound here, and not looked for each time.
        self.get, self.patron_of, self.queue = reads.get, reads.patron_of, reads.queue
        self.loans_of, self.holds_of, self.fees_of = reads.loans_of, reads.holds_of, reads.fees_of
        self.shown = self._memory.shown if self._memory is not None else None

    def rows(self, table: str) -> Iterator[Row]:
        """Every row, by key."""
        self._put_down()
        yield from self._db.stream(f"SELECT * FROM {table} ORDER BY {COLUMNS[table][0]}")  # noqa: S608 - names of our own

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes, in order. ValueError for one that is none."""
        if self._memory is not None:
            self._memory.apply(changes)
            return
        for table, value in changes:
            if table in PUT:
                self._db.run(PUT[table], [value[name] for name in COLUMNS[table]])
            elif table[1:] in TAKE:
                self._db.run(TAKE[table[1:]], (value,))
            else:
                raise ValueError(f"{table!r} is no table of the store")

    def fill(self, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Put many rows; what a row does not name has the table's default. Returns how many."""
        self._put_down(anew=True)
        count = 0
        for names, alike in groupby(rows, key=lambda row: tuple(name for name in COLUMNS[table] if name in row)):
            values = [[row[name] for name in names] for row in alike]
            self._db.many(putting(table, names), values)
            count += len(values)
        if self._memory is not None:
            self._memory.filled(table)
        return count

    def amend(self, table: str, key: str, values: Mapping[str, Any]) -> None:
        """Change some columns of a row; of one that is not there nothing."""
        self._put_down(anew=True)
        names = [name for name in COLUMNS[table] if name in values]
        query = f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in names)} WHERE {COLUMNS[table][0]} = ?"  # noqa: S608 - names of our own
        self._db.run(query, (*(values[name] for name in names), key))

    def count(self, table: str) -> int:
        """How many rows there are."""
        self._put_down()
        found = self._db.one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - a name of our own
        return int(found["n"]) if found else 0

    def has_title(self, title_id: str) -> bool:
        """Whether there is a copy of that title, as far as is committed; True where it is known of no copy which title it is of.

        For another thread: there is no index by title, which each loan would have to be paid for with.
        """
        with self._writing:  # a store that is replaced must be open nowhere else
            db = self._db.reader()
            try:
                if db.one("SELECT 1 AS n FROM item WHERE title_id = ? AND status <> 'withdrawn' LIMIT 1", (title_id,)):
                    return True
                return not db.one("SELECT 1 AS n FROM item WHERE title_id <> '' LIMIT 1")
            finally:
                db.close()

    def note_conflict(self, number: int, entry: Mapping[str, Any]) -> None:
        """What staff must look at: an entry of the journal that does not fit."""
        at = int(datetime.fromisoformat(entry["at"]).timestamp())
        asked = json.dumps(entry["asked"] | {"kind": entry["kind"], "ok": entry["ok"]})
        row = {"number": number, "at": at, "reason": entry["conflict"], "asked": asked, "found": entry["reason"]}
        self.apply([["conflict", row]])

    def forget(self, before: int) -> None:
        """Drop the memory of requests done before that second: nobody asks for them again, or undoes them. Once an hour, with a commit."""
        self._forget = before if before - self._forgotten >= FORGET_EVERY else 0
        if self._memory is not None:
            self._memory.forget(before)

    def commit(self) -> None:
        """Keep what was applied, up to `applied`. Call it only when the journal is durable up to there."""
        with self._alone():
            changed = self._memory.changed() if self._memory is not None else {}
            write(self._db, Behind(self._db, changed, self.applied, self._forget))
            self._forgotten = self._forget or self._forgotten
            if self._memory is not None:
                self._memory.settled()
            self._committed = self.applied

    def behind(self) -> Behind | None:
        """What the file lacks, for `write`; None where nothing is or no other thread may write."""
        if self._memory is None or self._db.writing:
            return None
        return Behind(self._db, self._memory.handed_over(), self.applied, self._forget)

    def write(self, behind: Behind) -> None:
        """Bring the file up to `behind`, from another thread. Call it only when the journal is durable up to there.

        Nothing is done where the file has it meanwhile, or is another one: what is older must not stand over what is newer.
        """
        with self._writing:
            if behind.of is not self._db or behind.applied <= self._committed:
                return
            if self._writer is None:
                self._writer = self._db.again()
            try:
                write(self._writer, behind, self._hurry)
            except BaseException:
                self._end_writer()
                raise

    def written(self, behind: Behind) -> None:
        """`write` is done."""
        if self._memory is not None and behind.of is self._db and behind.applied > self._committed:
            self._memory.written()
            self._committed, self._forgotten = behind.applied, behind.forget or self._forgotten

    def close(self) -> None:
        """Close without keeping what was not committed."""
        with self._alone():
            self._end_writer()
            self._db.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other thread writes; one that does makes an end."""
        self._hurry.set()
        with self._writing:
            self._hurry.clear()
            yield

    def _end_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _put_down(self, *, anew: bool = False) -> None:
        """What the database is asked or told of directly it must have itself: all that is in memory, in its open transaction. `anew`: what is
        in memory is to be read afresh."""
        if self._memory is not None:
            with self._alone():
                put_changes(self._db, self._memory.changed())
                self._memory.settled()
            if anew:
                self._memory.forget_rows()


def store_of(folder: Path, *, at_once: bool = False) -> Store:
    """The store of a sidecar's folder: a file in it, or (BINDERY_CIRCULATION_STORE, a PostgreSQL address) a schema of the folder's name.
    `at_once`: see Postgres."""
    address = os.environ.get(ADDRESS, "")
    if not address:
        return Store(folder / "store.db")
    from connectors.circulation.embedded.owning import own
    from connectors.circulation.embedded.postgres import Postgres

    db = Postgres(address, _schema(folder), SCHEMA, at_once=at_once)
    own(folder, db, _schema(folder))
    return Store(db)


def reader_of(folder: Path) -> Store | None:
    """What is committed in the store of a folder, to be read beside a sidecar that may run; None where there is none."""
    address = os.environ.get(ADDRESS, "")
    if not address:
        path = folder / "store.db"
        return Store(Sqlite(path, "", read_only=True)) if path.exists() else None
    from connectors.circulation.embedded.postgres import Postgres

    return Store(Postgres(address, _schema(folder), "", read_only=True))


def _schema(folder: Path) -> str:
    return re.sub(r"\W", "_", folder.name.casefold())
