"""FOLIO behind self-service: each request's calls, and what FOLIO's state says of a request that it did not answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from connectors.circulation.backend import Away
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Item, Outcome, Patron, Pay, Renew, Request, Reserve
from connectors.circulation.folio import cql, desk_work, lending
from connectors.circulation.folio.login import TokenLogin
from connectors.circulation.folio.settings import FolioSettings
from connectors.circulation.folio.site import Site
from connectors.circulation.folio.views import item_view, moment
from connectors.circulation.remote.http import Calls, within
from include.engine import clock
from include.engine.credentials import Credentials as Connections

SKEW = timedelta(seconds=90)
"""How far FOLIO's clock may be behind ours when its state is read for what came of a request."""


class Folio:
    """See Remote. Nothing is written down here: `forwarding` does that."""

    backdates = True

    def __init__(self, settings: FolioSettings, site: Site, *, now: Callable[[], datetime] = clock.now) -> None:
        self.settings, self._site, self._now = settings, site, now

    @classmethod
    def opened(
        cls,
        settings: FolioSettings,
        connections: Connections,
        *,
        verify: bool | ssl.SSLContext = True,
        now: Callable[[], datetime] = clock.now,
    ) -> Folio:
        """With the secrets of its connection; nothing is asked yet. MissingCredential names the connection that is not set up."""
        login = TokenLogin(connections.get(settings.connection), settings.tenant)
        calls = Calls(
            "FOLIO", settings.url, login, headers={"Accept": "application/json"}, call_seconds=settings.call_seconds,
            connections=settings.connections, verify=verify,
        )  # fmt: skip
        return cls(settings, Site(settings, calls, now), now=now)

    async def patron(self, who: Credentials, *, whole: bool = True) -> Patron | None:
        """See Backend."""
        with within(self.settings.message_seconds):
            user = await self._site.user(who.card)
            if user is None:
                return None
            right, shown = await asyncio.gather(self._site.pin_right(who, user), self._site.view(user, who, None, whole=whole))
            return replace(shown, pin_right=right)

    async def item(self, item: str) -> Item | None:
        """See Backend. Two questions more at once: when it is due, and who waits for it."""
        with within(self.settings.message_seconds):
            found = await self._site.item(item)
            if found is None:
                return None
            lent = (found.get("status") or {}).get("name") == "Checked out"
            requests, loan = await asyncio.gather(
                self._site.requests("itemId", found["id"]), self._site.loan_of(found["id"]) if lent else asyncio.sleep(0)
            )
            return item_view(self.settings, found, due=moment(loan["dueDate"]) if loan else None, holds=len(requests))

    async def perform(self, request: Request) -> Outcome:
        """See Remote."""
        with within(self.settings.message_seconds):
            match request:
                case Checkout(undo=True):
                    return await self._taken_back(request)
                case Checkout():
                    return await lending.checkout(self._site, request)
                case Checkin():
                    return await lending.checkin(self._site, request)
                case Renew():
                    return await lending.renew(self._site, request)
                case Reserve():
                    return await desk_work.reserve(self._site, request)
                case Pay():
                    return await desk_work.pay(self._site, request)
                case Block():
                    return await desk_work.block(self._site, request, self._now())
                case _:
                    return Outcome(False, "TERMINAL_CANNOT")

    async def happened(self, request: Request, since: datetime) -> Outcome | None:
        """See Remote."""
        at = since - SKEW
        with within(self.settings.message_seconds):
            match request:
                case Checkout(undo=True) | Checkin():
                    return await self._returned(request.item, at)
                case Renew(item=""):
                    return None  # a second renewal of everything goes no further than the rules let it
                case Checkout() | Renew():
                    return await self._has_it(request, at)
                case Reserve():
                    return await self._held(request)
                case Pay():
                    return Outcome(True, transaction=request.transaction) if await desk_work.paid(self._site, request) else None
                case Block():
                    user = await self._site.user(request.patron.card)
                    there = bool(user and await desk_work.blocks_of(self._site, user["id"]))
                    return Outcome(True) if there == request.blocked else None
                case _:
                    return None

    async def _taken_back(self, asked: Checkout) -> Outcome:
        """A loan that was not: a return, when it is this patron's."""
        user, item = await asyncio.gather(self._site.user(asked.patron.card), self._site.item(asked.item))
        loan = await self._site.loan_of(item["id"]) if item else None
        if user is None or loan is None or loan["userId"] != user["id"]:
            return Outcome(False, "NOT_LENT")
        done = await lending.checkin(self._site, Checkin(asked.terminal, asked.at, asked.branch, asked.key, item=asked.item))
        shown = await self._site.shown(user, asked.patron.card)
        return Outcome(done.ok, "" if done.ok else done.reason, item=done.item, patron=shown)

    async def _returned(self, barcode: str, at: datetime) -> Outcome | None:
        item = await self._site.item(barcode)
        if item is None or await self._site.loan_of(item["id"]) is not None:
            return None
        query = cql.both(cql.same("itemId", item["id"]), 'status.name=="Closed"', cql.since("systemReturnDate", at))
        rows = await self._site.rows("/circulation/loans", "loans", query, limit="1")
        return Outcome(True, item=item_view(self.settings, item)) if rows else None

    async def _has_it(self, asked: Checkout | Renew, at: datetime) -> Outcome | None:
        user, item = await asyncio.gather(self._site.user(asked.patron.card), self._site.item(asked.item))
        loan = await self._site.loan_of(item["id"]) if item else None
        if user is None or item is None or loan is None or (loan["userId"] != user["id"] and not isinstance(asked, Renew)):
            return None
        changed = moment(loan["metadata"]["updatedDate"]) >= at
        action = str(loan.get("action", "")).casefold()  # also checkedOutThroughOverride, renewedThroughOverride
        renewed = changed and action.startswith("renewed")
        if not (renewed or (isinstance(asked, Checkout) and changed and action.startswith("checkedout"))):
            return None
        self._site.changed(asked.patron.card)
        shown = await self._site.shown(user, asked.patron.card)
        return Outcome(True, item=item_view(self.settings, item), patron=shown, due=moment(loan["dueDate"]), renewed=renewed)

    async def _held(self, asked: Reserve) -> Outcome | None:
        user = await self._site.user(asked.patron.card)
        if user is None:
            return None
        item = await self._site.item(asked.item) if asked.item else None
        instance = await desk_work.instance_of(self._site, item) if item else asked.title
        there = bool(instance or asked.hold) and await desk_work.request_of(self._site, user["id"], instance, asked.hold) is not None
        return Outcome(True, patron=await self._site.shown(user, asked.patron.card)) if there == (asked.change != "delete") else None

    async def online(self) -> bool:
        """See Backend: whether it answers a question and accepts our login."""
        try:
            with within(min(3.0, self.settings.message_seconds)):
                return (await self._site.calls.ask("/circulation/loans", {"query": "cql.allRecords=1", "limit": "0"})).ok
        except Away:
            return False

    async def close(self) -> None:
        """See Remote."""
        await self._site.calls.close()
