"""The store's rows in memory: those that were asked for lately, and every change that the database does not have yet.

A rule is answered from here and its changes are made here; the database gets them behind, many at once (`Store.write`), and is asked only for
what nobody asked for lately. The journal has every change before its answer leaves, so that nothing rests on this memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.circulation.domain import Patron
from connectors.circulation.embedded.direct import COLUMNS, Direct, Row
from connectors.circulation.embedded.recent import Key, Known, Recent
from connectors.circulation.embedded.sqlite import Sqlite

Changed = dict[str, dict[Key, Row | None]]
"""By table and key the row as it is now; None when it is gone."""

MOST_ROWS = 20_000
"""Rows of a table that are kept before the oldest are let go; with those, twice as many."""
MOST_LISTS = 10_000
LONGEST_KEY = 64
"""Characters; a longer key that nothing has is not remembered: whoever makes keys up would fill the memory with them."""
MOST_KNOWN = 1_000_000
DONE_SECONDS = 30 * 3600
"""How long a key of `done` is told from one that is not there: longer than it is kept (backend.KEPT_SECONDS)."""
_KEPT = ("patron", "card", "item", "loan", "hold", "fee")
_IN_VAIN = {"done": ("key",), "loan": ("item",), "hold": ("patron", "title_id"), "fee": ("patron",)}
"""Columns that are asked for by what is mostly not there: most items are on no loan, and few titles are waited for."""
_UNKNOWN: Any = object()


class _List:
    """Lists of a table's rows by their keys, one for each value of a column: whose loans, holds and fees they are, or of which title."""

    def __init__(self, table: str, column: str) -> None:
        self.table, self.column, self.key = table, column, COLUMNS[table][0]
        self.query = f"SELECT * FROM {table} WHERE {column} = ?"  # noqa: S608 - names of our own
        self.recent = Recent(MOST_LISTS)
        self.known: Known | None = None


class _Table:
    """What is in memory of one table: rows that were asked for lately (of some tables), the lists that they are in, what has changed since
    something was handed over, and, by column, what may be there."""

    def __init__(self, name: str, *lists: _List) -> None:
        self.columns = COLUMNS[name]
        self.key = self.columns[0]
        self.rows = Recent(MOST_ROWS) if name in _KEPT else None
        self.lists = lists
        self.fresh: dict[Key, Row | None] = {}
        self.known = {column: Known(MOST_KNOWN) for column in _IN_VAIN.get(name, ())}
        for one in lists:
            one.known = self.known.get(one.column)


class Memory:
    """Rows of one database. For one thread; what `handed_over` returns is changed no more, and may be written by another."""

    def __init__(self, db: Sqlite) -> None:
        self._db, self._direct = db, Direct(db)
        self._loans, self._fees = _List("loan", "patron"), _List("fee", "patron")
        self._holds, self._queues = _List("hold", "patron"), _List("hold", "title_id")
        lists = {"loan": (self._loans,), "hold": (self._holds, self._queues), "fee": (self._fees,)}
        self._tables = {name: _Table(name, *lists.get(name, ())) for name in COLUMNS}
        self._taken = {f"-{name}": name for name in COLUMNS}
        self._written: Changed = {}
        self.shown: dict[Key, tuple[Row, object, Patron]] = {}
        """Patrons as they were shown last (views.py), of which row and by which terms. Who is changed or gone is not among them."""
        self._done_since: int | None = None
        for name, table in self._tables.items():
            for column, known in table.known.items():
                known.fill(db.column(f"SELECT {column} FROM {name}"))  # noqa: S608 - names of our own

    def get(self, table: str, key: Key) -> Row | None:
        found: Any
        there = self._tables[table]
        kept = there.rows
        if kept is not None and (
            (found := kept.new.get(key, _UNKNOWN)) is not _UNKNOWN or (found := kept.get(key, _UNKNOWN)) is not _UNKNOWN
        ):
            return found  # type: ignore[no-any-return]
        if (known := there.known.get(there.key)) is not None and key not in known:
            return None
        found = there.fresh.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._written.get(table, {}).get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._direct.get(table, key)
        if kept is not None and (found is not None or len(str(key)) <= LONGEST_KEY):
            kept.put(key, found)
        return found  # type: ignore[no-any-return]

    def patron_of(self, card: str) -> Row | None:
        found = self.get("card", card)
        return self.get("patron", found["patron"]) if found else None

    def loans_of(self, patron: str) -> list[Row]:
        loans: list[Row] = []
        for loan in self._of(self._loans, patron).values():
            item = self.get("item", loan["item"]) or _NO_ITEM
            loans.append(loan | {"title": item["title"], "material": item["material"]})
        return sorted(loans, key=lambda loan: (loan["loaned_at"], loan["item"])) if len(loans) > 1 else loans

    def holds_of(self, patron: str) -> list[Row]:
        holds = sorted(self._of(self._holds, patron).values(), key=_turn)
        return [hold | {"before": sum(_turn(one) < _turn(hold) for one in self.queue(hold["title_id"]))} for hold in holds]

    def fees_of(self, patron: str) -> list[Row]:
        fees = self._of(self._fees, patron)
        return sorted((fee for fee in fees.values() if fee["outstanding"]), key=lambda fee: str(fee["fee"])) if fees else []

    def queue(self, title_id: str) -> list[Row]:
        holds = self._of(self._queues, title_id) if title_id else None
        return sorted(holds.values(), key=_turn) if holds else []

    def apply(self, changes: Iterable[list[Any]]) -> None:
        """Make changes, in order. ValueError for one that is none."""
        for table, value in changes:
            row: Row | None = None
            there = self._tables.get(table)
            if there is not None:
                key = value[there.key]
                row = value if len(value) == len(there.columns) else {name: value[name] for name in there.columns}
            elif table in self._taken:
                table, key = self._taken[table], value
                there = self._tables[table]
            else:
                raise ValueError(f"{table!r} is no table of the store")
            if there.lists:
                self._list_again(there.lists, self.get(table, key), key, row)
            if there.rows is not None:
                there.rows.put(key, row)
                if table == "patron":
                    self.shown.pop(key, None)
            if row is not None and there.known:
                for column, known in there.known.items():
                    known.put(row[column])
            there.fresh[key] = row

    def changed(self) -> Changed:
        """All that the database does not have for sure."""
        return _merged(self._written, {name: table.fresh for name, table in self._tables.items()})

    def handed_over(self) -> Changed:
        """The same, for whoever writes it; asked for again until `written`."""
        self._written = self.changed()
        for table in self._tables.values():
            table.fresh = {}
        return self._written

    def written(self) -> None:
        """What was handed over is in the database."""
        self._written = {}

    def settled(self) -> None:
        """All that has changed is in the database."""
        self._written = {}
        for table in self._tables.values():
            table.fresh = {}

    def forget_rows(self) -> None:
        """The database is changed past this memory, and has all that was changed here."""
        for table in self._tables.values():
            if table.rows is not None:
                table.rows.clear()
            for one in table.lists:
                one.recent.clear()
        self.shown.clear()

    def filled(self, table: str) -> None:
        """Rows were put into a table of the database past this memory."""
        for known in self._tables[table].known.values():
            known.lose()

    def forget(self, before: int) -> None:
        """Requests done before that second are known no more; called every few seconds."""
        if self._done_since is None:
            self._done_since = before
        elif before - self._done_since > DONE_SECONDS:
            self._tables["done"].known["key"].turn()
            self._done_since = before

    def _of(self, asked: _List, owner: str) -> dict[Key, Row]:
        if asked.known is not None and owner not in asked.known:
            return _NONE
        there: dict[Key, Row] | None = asked.recent.new.get(owner) or asked.recent.get(owner, None)
        if there is not None:
            return there
        found = {row[asked.key]: row for row in self._db.all(asked.query, (owner,))}
        for changed in (self._written.get(asked.table, {}), self._tables[asked.table].fresh):
            for name, row in changed.items():
                found.pop(name, None)
                if row is not None and row[asked.column] == owner:
                    found[name] = row
        if found or len(owner) <= LONGEST_KEY:
            asked.recent.put(owner, found)
        return found

    @staticmethod
    def _list_again(lists: tuple[_List, ...], before: Row | None, key: Key, after: Row | None) -> None:
        for one in lists:
            if before is not None:
                one.recent.get(before[one.column], {}).pop(key, None)
            if after is not None and (there := one.recent.get(after[one.column], _UNKNOWN)) is not _UNKNOWN:
                there[key] = after


_NONE: dict[Key, Row] = {}
_NO_ITEM: Row = {"title": "", "material": ""}


def _turn(hold: Row) -> tuple[int, str]:
    """In which order holds are served."""
    return hold["placed"], hold["hold"]


def _merged(first: Changed, then: Changed) -> Changed:
    return {table: first.get(table, {}) | rows for table, rows in then.items() if rows or first.get(table)}
