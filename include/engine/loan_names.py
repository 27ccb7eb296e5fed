"""One loan that two tell of: a kiosk, and later the library system's own export. The first to tell gives it its number in the lake.

A kiosk does not know the library system's number of a loan. So the lake keeps what was told first under the number it came with, and the
other's number becomes a row of `loan_alias`: whatever comes under it later is that same loan. What is counted, sent on or settled by its
number once is so for good. docs/decisions/kiosk-loans.md

Two tell of one loan when it is the same item, the patron is the same as far as both say, and the moments lie no further apart than clocks
do (`APART`); where one says only the day, it is the same day. Each is matched with one other, the nearest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

KIOSK = "kiosk:"
"""How the number of a loan begins that a kiosk told of first, and that of such a renewal."""
ONCE = "once"
APART = timedelta(minutes=15)
TABLE = "loan_alias"
ALIAS = ["told_id", "told_event", "loan_id", "event_id"]
LOAN = ["loan_id", "event", "event_id", "item_id", "barcode", "patron", "loaned_on", "loaned_at", "happened_at", "renewals", "returned_on"]
Find = Callable[[str, list[str], ds.Expression], pa.Table]
"""The partner's rows of a lake table that an expression is true of; an empty table where there is none."""


class Told(NamedTuple):
    """A loan as somebody tells of it: its number there, item, patron (pseudonym), day on the library's calendar and, where known, moment."""

    loan_id: str
    item_id: str | None
    barcode: str | None
    patron: str | None
    on: date
    at: datetime | None


def apart(one: Told, other: Told) -> float | None:
    """Seconds between two tellings of one loan, 0 where only days are known; None when they are of two loans."""
    if not ((one.item_id and one.item_id == other.item_id) or (one.barcode and one.barcode == other.barcode)):
        return None
    if one.patron and other.patron and one.patron != other.patron:
        return None
    return _between(one.on, one.at, other.on, other.at)


def _between(on: date, at: datetime | None, other_on: date, other_at: datetime | None) -> float | None:
    if at is None or other_at is None:
        return 0.0 if on == other_on else None
    seconds = abs((at - other_at).total_seconds())
    return seconds if seconds <= APART.total_seconds() else None


@dataclass
class Names:
    """By which number the lake knows a loan. `aliases`: the partner's rows of `loan_alias`; `others`: what the other side has told.

    It remembers what it has matched: use one for a whole delivery. `new` are the rows of `loan_alias` that came of it.
    """

    known: dict[tuple[str, str], tuple[str, str]]
    others: Iterable[Told] = ()
    renewals: Mapping[str, list[tuple[str, datetime]]] = field(default_factory=dict)
    """Renewals that the other side has told of: event_id and moment, by the loan's number in the lake."""
    new: list[dict[str, str]] = field(default_factory=list)
    _by_item: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._taken = set(self.known.values())
        for other in self.others:
            for item in {other.item_id, other.barcode} - {None, ""}:
                self._by_item[str(item)].append(other)

    def of(self, told: Told) -> str:
        """The loan's number in the lake."""
        found = self.known.get((told.loan_id, ONCE))
        if found is not None:
            return found[0]
        near = [
            (seconds, other.loan_id)
            for item in {told.item_id, told.barcode} - {None, ""}
            for other in self._by_item.get(str(item), ())
            if other.loan_id != told.loan_id and (other.loan_id, ONCE) not in self._taken and (seconds := apart(told, other)) is not None
        ]
        return self._keep(told.loan_id, ONCE, min(near)[1], ONCE)[0] if near else told.loan_id

    def renewal(self, told_id: str, loan_id: str, event_id: str, at: datetime | None, on: date | None) -> str:
        """The number in the lake of a renewal of the loan that the lake knows as `loan_id`."""
        found = self.known.get((told_id, event_id))
        if found is not None:
            return found[1]
        near = [
            (seconds, other)
            for other, moment in self.renewals.get(loan_id, ())
            if other != event_id
            and (loan_id, other) not in self._taken
            and (seconds := _between(on or moment.date(), at, moment.date(), moment)) is not None
        ]
        return self._keep(told_id, event_id, loan_id, min(near)[1])[1] if near else event_id

    def _keep(self, told_id: str, told_event: str, loan_id: str, event_id: str) -> tuple[str, str]:
        self.known[told_id, told_event] = loan_id, event_id
        self._taken.add((loan_id, event_id))
        self.new.append({"told_id": told_id, "told_event": told_event, "loan_id": loan_id, "event_id": event_id})
        return loan_id, event_id

    @property
    def nothing(self) -> bool:
        """Whether every loan has its own number: nobody else has told of any."""
        return not self.known and not self._by_item and not self.renewals


def names(aliases: pa.Table, others: pa.Table) -> Names:
    """From rows of `loan_alias` (columns ALIAS) and those of `loan` (columns LOAN) that the other side has told."""
    known = {(row["told_id"], row["told_event"]): (row["loan_id"], row["event_id"]) for row in aliases.select(ALIAS).to_pylist()}
    renewals: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    loans: dict[str, Told] = {}
    for row in others.to_pylist():
        if row["event"] == "renewal":
            if row["happened_at"] is not None:
                renewals[row["loan_id"]].append((row["event_id"], row["happened_at"]))
        else:
            loans.setdefault(row["loan_id"], told_of(row))
    return Names(known, list(loans.values()), renewals)


def told_of(row: Mapping[str, Any]) -> Told:
    """A row of the loan table as a telling of its loan."""
    return Told(row["loan_id"], row["item_id"], row["barcode"], row["patron"], row["loaned_on"], row["loaned_at"])


def kiosk_rows(column: str) -> ds.Expression:
    """Rows whose number in `column` a kiosk gave: as a range, so that files and row groups without one are not read."""
    return (ds.field(column) >= KIOSK) & (ds.field(column) < KIOSK[:-1] + ";")


def told_by_kiosks(find: Find, lookup: Callable[[str, list[str]], pa.Table]) -> Names:
    """The names for an export of the library system: the others are the kiosks. Of a partner without kiosks next to nothing is read."""
    aliases = lookup(TABLE, ALIAS)
    return names(aliases, find("loan", LOAN, kiosk_rows("loan_id") | kiosk_rows("event_id")))


def renamed(rows: pa.RecordBatch, patron: pa.Array, item: pa.Array, found: Names) -> tuple[pa.Array, pa.Array, list[int]]:
    """`loan_id` and `event_id` of a batch of incoming loans as the lake knows them, and for each of `found.new` that came of it the row's place."""
    loan_id, event_id = rows.column("loan_id"), rows.column("event_id")
    if found.nothing:
        return loan_id, event_id, []
    before, places = len(found.new), list[int]()
    items = pa.array(sorted(found._by_item), pa.string())
    numbers = pa.array(sorted({told for told, _ in found.known} | set(found.renewals)), pa.string())
    maybe = pc.or_(pc.is_in(item, value_set=items), pc.is_in(loan_id, value_set=numbers))
    if "barcode" in rows.schema.names:
        maybe = pc.or_(maybe, pc.is_in(rows.column("barcode"), value_set=items))
    at = pc.indices_nonzero(maybe)
    if not len(at):
        return loan_id, event_id, []
    some = {name: rows.column(name).take(at).to_pylist() for name in LOAN if name in rows.schema.names} | {
        "patron": patron.take(at).to_pylist(), "item_id": item.take(at).to_pylist()
    }  # fmt: skip
    loans, events = loan_id.to_pylist(), event_id.to_pylist()
    for number, place in enumerate(at.to_pylist()):
        row = {name: values[number] for name, values in some.items()}
        told = told_of({"barcode": None, **row})
        loans[place] = found.of(told)
        if row["event"] == "renewal":
            events[place] = found.renewal(told.loan_id, loans[place], row["event_id"], row["happened_at"], None)
        places += [place] * (len(found.new) - before - len(places))
    return pa.array(loans, pa.string()), pa.array(events, pa.string()), places
