"""Which of the journal's events the lake is still to be told, and under which numbers. docs/decisions/kiosk-loans.md"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from connectors.circulation.lake.events import Event
from include.engine.loan_names import KIOSK, ONCE, Names, Told
from include.engine.privacy.people import Aliases
from include.engine.privacy.pseudonym import Pseudonyms


@dataclass(frozen=True)
class Lake:
    """What the lake has of the items in question: item numbers by barcode, the rows of `loan` (LOAN), the other names, and which patrons
    are institutions."""

    items: dict[str, str]
    loans: list[dict[str, Any]]
    names: Names
    institutions: set[str] = field(default_factory=set)


class Telling:
    """Turns events into rows of the contract `circulation_loan`, in the order in which they happened."""

    def __init__(self, lake: Lake, pseudonyms: Pseudonyms, aliases: Aliases) -> None:
        self._lake, self._pseudonyms, self._aliases = lake, pseudonyms, aliases
        self.names = lake.names
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in lake.loans:
            self._rows[row["loan_id"]].append(row)
        self._adopted = {loan_id for loan_id, _ in lake.names.known.values() if loan_id.startswith(KIOSK)}

    def row(self, event: Event, zone: ZoneInfo) -> dict[str, Any] | None:
        """The event as it is to be told; None where the library system has told of it by itself."""
        patron = self._patron(event.patron)
        item_id = self._lake.items.get(event.item)
        told = Told(event.loan_id, item_id, event.item, patron, event.loaned_on, event.loaned_at)
        loan_id = event.loan_id if self._own(event.loan_id) else self._filled(event, item_id, zone) or self.names.of(told)
        if self._told(event, loan_id):
            return None
        event_id = (
            self.names.renewal(event.loan_id, loan_id, event.event_id, event.at, event.on(zone)) if event.event == "renewal" else ONCE
        )
        if event_id != event.event_id:
            return None
        return {
            "loan_id": loan_id,
            "event": event.event,
            "event_id": event_id,
            "kind": "institution" if patron in self._lake.institutions else "home",
            "patron_id": event.patron,
            "item_id": item_id,
            "barcode": event.item,
            "loaned_on": event.loaned_on,
            "loaned_at": event.loaned_at,
            "due_on": max(event.due_on, event.loaned_on),
            "renewals": int(event.event == "renewal"),
            "happened_at": event.at,
            **_where(event, event.on(zone)),
        }

    def _own(self, loan_id: str) -> bool:
        """Whether the lake has the loan under the kiosk's own number already."""
        return any(row["event"] == "loan" for row in self._rows[loan_id])

    def _filled(self, event: Event, item_id: str | None, zone: ZoneInfo) -> str | None:
        """The lake's number of a loan that the store knows from the lake (fill.sql): its moment is the lake's own, or noon of its day."""
        if event.event == "loan":
            return None
        noon = event.loaned_at.astimezone(zone).time() == time(12)
        for row in self._lake.loans:
            if row["event"] == "loan" and (row["barcode"] == event.item or (item_id and row["item_id"] == item_id)):
                at = row["loaned_at"]
                if at == event.loaned_at or (at is None and noon and row["loaned_on"] == event.loaned_on):
                    return str(row["loan_id"])
        return None

    def _told(self, event: Event, loan_id: str) -> bool:
        rows = self._rows[loan_id]
        theirs = loan_id != event.loan_id or loan_id in self._adopted
        if event.event == "loan":
            return theirs
        if event.event == "return":
            return theirs and any(row["event"] == "return" or row["returned_on"] is not None for row in rows)
        return any(row["event"] == "loan" and (row["renewals"] or 0) >= event.renewals for row in rows)

    def _patron(self, patron: str) -> str | None:
        found: str | None = self._aliases.final(self._pseudonyms.of(pa.array([patron], pa.string())))[0].as_py()
        return found


def _where(event: Event, on: date) -> dict[str, Any]:
    """What a loan and a return say of their branch and moment."""
    back: datetime | None = event.at if event.event == "return" else None
    return {
        "lending_branch": event.branch if event.event == "loan" else None,
        "returning_branch": event.branch if event.event == "return" else None,
        "returned_on": on if back else None,
        "returned_at": back,
    }
