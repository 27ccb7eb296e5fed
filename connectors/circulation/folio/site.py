"""One FOLIO tenant: its calls, and what was learnt a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from connectors.circulation.backend import Away, Odd
from connectors.circulation.domain import Credentials, Patron
from connectors.circulation.folio import cql
from connectors.circulation.folio.settings import FolioSettings
from connectors.circulation.folio.views import blocks_of, fee_view, hold_view, loan_view, patron_view
from connectors.circulation.remote.http import Calls, Reply
from connectors.circulation.remote.known import Known, RightPins
from connectors.circulation.remote.values import Json

ALL = "1000"
GROUP_SECONDS = 600.0


class Site:
    """`settings` say where and how; `calls` are the connections."""

    def __init__(self, settings: FolioSettings, calls: Calls, now: Callable[[], datetime]) -> None:
        self.settings, self.calls, self.now = settings, calls, now
        self._users: Known[Json] = Known(settings.patron_seconds)
        self._wholes: Known[dict[str, list[Json]]] = Known(settings.patron_seconds)
        self._groups: Known[dict[str, str]] = Known(GROUP_SECONDS)
        self._titles: Known[str] = Known(GROUP_SECONDS)
        self._pins = RightPins(settings.pin_seconds)

    async def user(self, card: str) -> Json | None:
        """The user with this barcode."""

        async def fetch() -> Json | None:
            rows = await self.rows("/users", "users", cql.same("barcode", card), limit="1")
            return rows[0] if rows else None

        return await self._users.of(card, fetch)  # type: ignore[arg-type]  # None is not kept

    async def groups(self) -> dict[str, str]:
        """Patron groups by their UUIDs; none when they cannot be had, for a name is not worth the answer to a change."""

        async def fetch() -> dict[str, str]:
            return {row["id"]: row["group"] for row in await self.rows("/groups", "usergroups", "cql.allRecords=1")}

        try:
            return await self._groups.of("", fetch)
        except Away:
            return {}

    async def item(self, barcode: str) -> Json | None:
        """The copy with this barcode."""
        rows = await self.rows("/inventory/items", "items", cql.same("barcode", barcode), limit="1")
        return rows[0] if rows else None

    async def instance_of(self, item: Json) -> str:
        """The title of a copy, which the inventory tells through its holdings."""

        async def fetch() -> str:
            reply = await self.calls.ask(f"/holdings-storage/holdings/{item['holdingsRecordId']}")
            if not reply.ok:
                raise self.odd(reply, "the holdings of an item")
            return str(reply.data["instanceId"])

        return str(item["instanceId"]) if item.get("instanceId") else await self._titles.of(item["holdingsRecordId"], fetch)

    async def title_of(self, item: Json) -> str:
        """The same, '' when it cannot be had: it is not worth the answer to a question about the copy."""
        try:
            return await self.instance_of(item)
        except (Away, KeyError):
            return ""

    async def loan_of(self, item_id: str) -> Json | None:
        """The loan on which this copy is out."""
        rows = await self.rows("/circulation/loans", "loans", cql.both(cql.same("itemId", item_id), cql.OPEN_LOAN), limit="1")
        return rows[0] if rows else None

    async def requests(self, field: str, value: str) -> list[Json]:
        """Open requests, in the order of their queue."""
        found = await self.rows("/circulation/requests", "requests", cql.both(cql.same(field, value), cql.OPEN_REQUEST))
        return sorted(found, key=lambda one: one.get("position") or 0)

    async def accounts(self, user_id: str) -> list[Json]:
        """What is owed, oldest first as FOLIO has it."""
        return await self.rows("/accounts", "accounts", cql.both(cql.same("userId", user_id), 'status.name=="Open"'))

    async def view(self, user: Json, who: Credentials, pin_right: bool | None, *, whole: bool) -> Patron:
        """The patron as the domain sees them; `whole`: five questions at once."""
        if not whole:
            return await self.shown(user, who.card, pin_right)
        found, groups = await asyncio.gather(self._wholes.of(who.card, lambda: self._whole(user["id"])), self.groups())
        return patron_view(
            self.settings,
            user,
            who.card,
            groups,
            pin_right=pin_right,
            blocks=blocks_of(found["manual"], found["automated"], self.now()),
            loans=tuple(sorted(map(loan_view, found["loans"]), key=lambda one: (one.loaned_at, one.item))),
            holds=tuple(hold_view(self.settings, one) for one in found["requests"]),
            fees=tuple(map(fee_view, found["accounts"])),
        )

    async def shown(self, user: Json, card: str, pin_right: bool | None = None) -> Patron:
        """The patron beside an outcome."""
        return patron_view(self.settings, user, card, await self.groups(), pin_right=pin_right)

    async def _whole(self, user_id: str) -> dict[str, list[Json]]:
        mine = cql.same("userId", user_id)
        loans, requests, accounts, manual, automated = await asyncio.gather(
            self.rows("/circulation/loans", "loans", cql.both(mine, cql.OPEN_LOAN)),
            self.requests("requesterId", user_id),
            self.accounts(user_id),
            self.rows("/manualblocks", "manualblocks", cql.both(mine)),
            self.automated(user_id),
        )
        return {"loans": loans, "requests": requests, "accounts": accounts, "manual": manual, "automated": automated}

    async def automated(self, user_id: str) -> list[Json]:
        """Automated blocks; a FOLIO without mod-patron-blocks has none."""
        reply = await self.calls.ask(f"/automated-patron-blocks/{user_id}")
        if reply.status == 404:
            return []
        if not reply.ok or not isinstance(reply.data, dict):
            raise self.odd(reply, "the automated blocks of a patron")
        return list(reply.data.get("automatedPatronBlocks") or ())

    async def pin_right(self, who: Credentials, user: Json | None) -> bool | None:
        """Whether the PIN is the patron's. FOLIO says 422 to a wrong one and to a patron without one."""
        if who.pin is None or user is None or self.settings.pin == "none":
            return None
        return await self._pins.right(who.card, who.pin, lambda: self._verified(user["id"], who.pin or ""))

    async def let_in(self, who: Credentials) -> Json | str:
        """The user whose request it is, or the reason why it is refused."""
        user = await self.user(who.card)
        return "PIN_WRONG" if await self.pin_right(who, user) is False else user or "CARD_UNKNOWN"

    async def _verified(self, user_id: str, pin: str) -> bool:
        reply = await self.calls.ask("/patron-pin/verify", body={"id": user_id, "pin": pin})
        if reply.status not in (200, 422):
            raise self.odd(reply, "the check of a PIN")
        return reply.status == 200

    async def rows(self, path: str, name: str, query: str, *, limit: str = ALL) -> list[Json]:
        """A list. More than a thousand of anything that one patron or item has is more than a kiosk shows."""
        reply = await self.calls.ask(path, {"query": query, "limit": limit})
        if not reply.ok or not isinstance(reply.data, dict):
            raise self.odd(reply, path)
        return list(reply.data.get(name) or ())

    def changed(self, card: str) -> None:
        """What is known of this card's patron is out of date: what they have and owe, not who they are."""
        self._wholes.drop(card)

    def forget(self, card: str) -> None:
        """There is no such patron any more."""
        self._users.drop(card)
        self._wholes.drop(card)

    def everyone_changed(self) -> None:
        """Somebody's loans have changed."""
        self._wholes.clear()

    def odd(self, reply: Reply, what: str) -> Away:
        """An answer that is none of those that FOLIO describes: our user may not do this, or a module is not there."""
        return Odd(
            f"FOLIO answered {reply.status} to {what}",
            do="Check the system user's permissions (those of edge-sip2, renewals, requests, payments).",
        )
