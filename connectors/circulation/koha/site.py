"""One Koha: its calls, and what was learnt a moment ago. Every question a kiosk's message needs is asked here, at most once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.circulation.backend import Away, Odd
from connectors.circulation.domain import Credentials, Hold, Loan, Patron
from connectors.circulation.koha.settings import KohaSettings
from connectors.circulation.koha.views import fees_view, hold_view, loan_view, patron_view
from connectors.circulation.remote.http import Calls, Reply
from connectors.circulation.remote.known import Known, RightPins
from connectors.circulation.remote.values import Json

BASE = "/api/v1"
ALL = "500"
"""Rows asked for at once: a patron with more loans than that has several pages, which are asked for one after another."""
_WITH_TITLE = {"x-koha-embed": "biblio"}
ITEM_SECONDS = 30.0


class Site:
    """`settings` say where and how; `calls` are the connections."""

    def __init__(self, settings: KohaSettings, calls: Calls) -> None:
        self.settings, self.calls = settings, calls
        self._patrons: Known[Json] = Known(settings.patron_seconds)
        self._wholes: Known[tuple[tuple[Loan, ...], tuple[Hold, ...], Json]] = Known(settings.patron_seconds)
        self._items: Known[Json] = Known(ITEM_SECONDS)
        self._pins = RightPins(settings.pin_seconds)

    def at(self, branch: str) -> Mapping[str, str]:
        """The header that says at which library this happens (Koha's `x-koha-library`)."""
        return {"x-koha-library": self.settings.theirs(branch)} if branch else {}

    async def patron(self, card: str) -> Json | None:
        """The patron with this card number. Koha matches plain parameters as parts of a value, so the query says it exactly."""

        async def fetch() -> Json | None:
            rows = await self.rows("/patrons", {"cardnumber": card})
            return rows[0] if rows else None

        return await self._patrons.of(card, fetch)  # type: ignore[arg-type]  # None is not kept

    async def item(self, barcode: str, *, afresh: bool = False) -> Json | None:
        """The copy with this barcode, with its title."""

        async def fetch() -> Json | None:
            rows = await self.rows("/items", {"external_id": barcode}, headers=_WITH_TITLE)
            if rows:
                self._items.keep(f"#{rows[0]['item_id']}", rows[0])
            return rows[0] if rows else None

        if afresh:
            self._items.drop(barcode)
        return await self._items.of(barcode, fetch)  # type: ignore[arg-type]

    async def items_of(self, numbers: Iterable[int]) -> dict[int, Json]:
        """Copies by their numbers, with titles: those that are not known yet with one call."""
        wanted = dict.fromkeys(numbers)
        found = {number: known for number in wanted if (known := self._items.get(f"#{number}")) is not None}
        if missing := [number for number in wanted if number not in found]:
            for row in await self.rows("/items", {"item_id": missing}, headers=_WITH_TITLE):
                found[row["item_id"]] = row
                self._items.keep(f"#{row['item_id']}", row)
        return found

    async def checkout_of(self, item_id: int) -> Json | None:
        """The loan on which this copy is out."""
        rows = await self.rows("/checkouts", {"item_id": item_id})
        return rows[0] if rows else None

    async def view(self, found: Json, who: Credentials, pin_right: bool | None, *, whole: bool) -> Patron:
        """The patron as the domain sees them; `whole`: three questions at once, then one for all titles."""
        if not whole:
            return patron_view(self.settings, found, who.card, pin_right=pin_right)
        loans, holds, account = await self._wholes.of(who.card, lambda: self._whole(found["patron_id"]))
        return patron_view(
            self.settings, found, who.card, pin_right=pin_right, loans=loans, holds=holds, fees=fees_view(account)
        )  # fmt: skip

    async def _whole(self, patron_id: int) -> tuple[tuple[Loan, ...], tuple[Hold, ...], Json]:
        mine = {"patron_id": patron_id}
        checkouts, holds, account = await asyncio.gather(
            self.rows("/checkouts", mine), self.rows("/holds", mine), self.one(f"/patrons/{patron_id}/account")
        )
        numbers = [row["item_id"] for row in checkouts] + [int(row["item_id"]) for row in holds if row.get("item_id")]
        items = await self.items_of(numbers) if numbers else {}
        loans = sorted((loan_view(row, items.get(row["item_id"])) for row in checkouts), key=lambda one: (one.loaned_at, one.item))
        return tuple(loans), tuple(hold_view(self.settings, row, items) for row in holds), account

    async def pin_right(self, who: Credentials) -> bool | None:
        """Whether the PIN is the patron's; Koha cannot say that a patron has none."""
        if who.pin is None:
            return None
        return await self._pins.right(who.card, who.pin, lambda: self._validated(who))

    async def _validated(self, who: Credentials) -> bool:
        reply = await self.calls.ask(BASE + "/auth/password/validation", body={"identifier": who.card, "password": who.pin})
        if reply.status not in (201, 400):
            raise self.odd(reply, "the check of a PIN")
        # Koha (C4::Auth::checkpw) looks for a user name before it looks for a card: whose password it was must be this card's.
        return reply.status == 201 and str(reply.data.get("cardnumber")).casefold() == who.card.casefold()

    async def rows(self, path: str, query: Json, *, headers: Mapping[str, str] | None = None, **params: str) -> list[Json]:
        """A list, all of its pages."""
        asked = {"q": json.dumps(query, separators=(",", ":")), "_per_page": ALL, **params}
        found: list[Json] = []
        page = 1
        while True:
            reply = await self.calls.ask(BASE + path, asked | ({"_page": str(page)} if page > 1 else {}), headers)
            if not reply.ok or not isinstance(reply.data, list):
                raise self.odd(reply, path)
            found += reply.data
            if len(reply.data) < int(ALL):
                return found
            page += 1

    async def one(self, path: str, **params: str) -> Json:
        """One object."""
        reply = await self.calls.ask(BASE + path, params)
        if not reply.ok or not isinstance(reply.data, dict):
            raise self.odd(reply, path)
        return reply.data

    async def change(self, method: str, path: str, body: Json | None = None, *, branch: str = "", **params: str) -> Reply:
        """POST, PUT, DELETE."""
        return await self.calls.change(method, BASE + path, body, params=params or None, headers=self.at(branch))

    def changed(self, *, card: str = "", barcode: str = "", item_id: int = 0) -> None:
        """What is known of these is out of date: of a patron what they have and owe, not who they are."""
        if card:
            self._wholes.drop(card)
        if barcode:
            self._items.drop(barcode)
        if item_id:
            self._items.drop(f"#{item_id}")

    def everyone_changed(self) -> None:
        """Somebody's loans have changed, and it is not known whose: a return names no card."""
        self._wholes.clear()

    def odd(self, reply: Reply, what: str) -> Away:
        """An answer that is none of those that Koha describes: our login may not do this, or it is no Koha."""
        return Odd(
            f"Koha answered {reply.status} to {what}", do="Check the permissions of our login: circulate, borrowers, updatecharges, reserveforothers."
        )  # fmt: skip


def since(column: str, when: datetime, zone: ZoneInfo) -> Json:
    """A query for what happened from that moment on. On the library's clock, which is Koha's: a database that does not read the offset of a
    moment (Koha's columns have none) compares what stands before it."""
    return {column: {">=": when.astimezone(zone).isoformat(timespec="seconds")}}


def text_of(reply: Reply) -> str:
    """The error's own words."""
    found: Any = reply.data.get("error", "") if isinstance(reply.data, dict) else reply.data
    return str(found)
