"""Entries of the journal as events of loans: a loan, a renewal, a return, by what they changed in the store.

An entry says what was asked and which rows that changed (`["loan", {...}]`, `["-loan", item]`, `["returned", {...}]`); `before` holds the
loans that it ended. A loan is known by its item and the moment it began, which every row of it carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from connectors.circulation.journal.reading import Entry
from include.engine.loan_names import KIOSK, ONCE

_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a loan. Moments are in UTC, days on the library's calendar; `renewals` counts them up to this one."""

    number: int
    event: Literal["loan", "renewal", "return"]
    item: str
    patron: str
    at: datetime
    loaned_at: datetime
    loaned_on: date
    due_on: date
    renewals: int
    branch: str | None

    @property
    def loan_id(self) -> str:
        """The kiosk's own number for the loan."""
        return f"{KIOSK}{self.item}:{self.loaned_at:{_STAMP}}"

    @property
    def event_id(self) -> str:
        """Tells renewals apart."""
        return f"{KIOSK}{self.at:{_STAMP}}" if self.event == "renewal" else ONCE

    def on(self, zone: ZoneInfo) -> date:
        """The day it happened on."""
        return self.at.astimezone(zone).date()


@dataclass(frozen=True, slots=True)
class Undone:
    """A loan that was none after all, or a return that was none: which of the two, and the loan as it ends with that."""

    number: int
    event: Literal["loan", "return"]
    ended: Event


def events(entries: Iterable[Entry], zone: ZoneInfo) -> Iterator[Event | Undone | int]:
    """Each entry's events, in order; an entry that is about no loan is its number alone."""
    for entry in entries:
        found = list(_of(entry, zone))
        yield from found
        if not found:
            yield entry.number


def _of(entry: Entry, zone: ZoneInfo) -> Iterator[Event | Undone]:
    data = entry.data
    asked, at = data.get("asked", {}), datetime.fromisoformat(data["at"]).astimezone(UTC)
    undo, branch = bool(asked.get("undo")), asked.get("branch") or None
    for name, row in data.get("changes", ()):
        if name == "loan" and undo:
            yield Undone(entry.number, "return", _event(entry.number, "return", row, at, branch, zone))
        elif name == "loan" and row["renewals"] == 0:
            yield _event(entry.number, "loan", row, _moment(row["loaned_at"]), branch, zone)
        elif name == "loan":
            yield _event(entry.number, "renewal", row, at, branch, zone)
        elif name == "returned":
            yield _event(entry.number, "return", row, _moment(row["at"]), branch, zone)
    if undo and data.get("kind") == "checkout":
        for row in data.get("before", ()):
            yield Undone(entry.number, "loan", _event(entry.number, "return", row, at, branch, zone))


def _event(number: int, event: Any, row: dict[str, Any], at: datetime, branch: str | None, zone: ZoneInfo) -> Event:
    loaned = _moment(row["loaned_at"])
    due = _moment(row["due"]).astimezone(zone).date()
    return Event(number, event, row["item"], row["patron"], at, loaned, loaned.astimezone(zone).date(), due, int(row["renewals"]), branch)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def without_undone(found: Iterable[Event | Undone | int]) -> tuple[list[Event], list[tuple[int, str]]]:
    """The events that stand, and (number, reason) of what is left out: what was undone with what undid it, and what is about no loan.

    A loan that was told of before it was undone ends with a return at that moment.
    """
    events_: list[Event] = []
    out: list[tuple[int, str]] = []
    for one in found:
        if isinstance(one, int):
            out.append((one, "NOT_A_LOAN"))
        elif isinstance(one, Event):
            events_.append(one)
        else:
            gone = [known for known in events_ if known.loan_id == one.ended.loan_id and (one.event == "loan" or known.event == "return")]
            events_ = [known for known in events_ if known not in gone]
            if one.event == "loan" and not gone:
                events_.append(one.ended)
            else:
                out += [(known.number, "LOAN_UNDONE") for known in gone] + [(one.number, "LOAN_UNDONE")]
    return events_, out
