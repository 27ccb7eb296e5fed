"""Koha behind self-service: each request's calls, and what Koha's state says of a request that it did not answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta

from connectors.circulation.backend import Away
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Item, Outcome, Patron, Pay, Renew, Request, Reserve
from connectors.circulation.koha import desk_work, lending, returning
from connectors.circulation.koha.login import Basic, OAuth2
from connectors.circulation.koha.settings import KohaSettings, SipCheckin
from connectors.circulation.koha.site import Site, since
from connectors.circulation.koha.views import item_view, moment, patron_view
from connectors.circulation.remote.http import Calls, Login, within
from include.engine import clock
from include.engine.credentials import Credentials as Connections

SKEW = timedelta(seconds=90)
"""How far Koha's clock may be behind ours when its state is read for what came of a request."""


class Koha:
    """See Remote. Nothing is written down here: `forwarding` does that."""

    backdates = False  # POST /checkouts takes no date

    def __init__(self, settings: KohaSettings, site: Site, returns: returning.Returns, *, now: Callable[[], datetime] = clock.now) -> None:
        self.settings, self._site, self._returns, self._now = settings, site, returns, now

    @classmethod
    def opened(
        cls,
        settings: KohaSettings,
        connections: Connections,
        *,
        verify: bool | ssl.SSLContext = True,
        now: Callable[[], datetime] = clock.now,
    ) -> Koha:
        """With the secrets of its connections; nothing is asked yet. MissingCredential names the connection that is not set up."""
        connection = connections.get(settings.connection)
        login: Login = OAuth2(connection) if settings.login == "oauth2" else Basic(connection)
        calls = Calls(
            "Koha", settings.url, login, call_seconds=settings.call_seconds, connections=settings.connections, verify=verify
        )  # fmt: skip
        returns: returning.Returns = returning.OverRest()
        if isinstance(settings.checkin, SipCheckin):
            accounts = {branch: connections.get(name) for branch, name in settings.checkin.accounts.items()}
            returns = returning.OverSip(settings.checkin, accounts)
        return cls(settings, Site(settings, calls), returns, now=now)

    async def patron(self, who: Credentials, *, whole: bool = True) -> Patron | None:
        """See Backend."""
        with within(self.settings.message_seconds):
            found, right = await asyncio.gather(self._site.patron(who.card), self._site.pin_right(who))
            return await self._site.view(found, who, right, whole=whole) if found else None

    async def item(self, item: str) -> Item | None:
        """See Backend. Two questions more at once when there is something to ask: when it is due, and who waits for its title."""
        with within(self.settings.message_seconds):
            found = await self._site.item(item, afresh=True)
            if found is None:
                return None
            holds, loan = await asyncio.gather(
                self._site.rows("/holds", {"biblio_id": found["biblio_id"]}),
                self._site.checkout_of(found["item_id"]) if found.get("checked_out_date") else asyncio.sleep(0),
            )
            due = moment(loan["due_date"]) if loan else None
            return item_view(self.settings, found, due=due, holds=tuple(holds))

    async def perform(self, request: Request) -> Outcome:
        """See Remote."""
        with within(self.settings.message_seconds):
            match request:
                case Checkout(undo=True):
                    return await self._taken_back(request)
                case Checkout():
                    return await lending.checkout(self._site, request)
                case Checkin():
                    return await returning.checkin(self._site, self._returns, request)
                case Renew():
                    return await lending.renew(self._site, request)
                case Reserve():
                    return await desk_work.reserve(self._site, request)
                case Pay():
                    return await desk_work.pay(self._site, request)
                case Block(blocked=False):  # a machine's own block is never set, so there is none to lift
                    found = await self._site.patron(request.patron.card)
                    shown = patron_view(self.settings, found, request.patron.card) if found else None
                    return Outcome(found is not None, "" if found else "CARD_UNKNOWN", patron=shown)
                case _:
                    return Outcome(False, "TERMINAL_CANNOT")

    async def happened(self, request: Request, since_then: datetime) -> Outcome | None:
        """See Remote."""
        at = since_then - SKEW
        with within(self.settings.message_seconds):
            match request:
                case Checkin(returned=datetime() as returned):  # the day it came back may be the one that Koha was told
                    return await self._returned(request.item, min(at, returned - SKEW))
                case Checkout(undo=True) | Checkin():
                    return await self._returned(request.item, at)
                case Renew(item=""):
                    return None  # a second renewal of everything goes no further than the rules let it
                case Checkout() | Renew():
                    return await self._has_it(request, at)
                case Reserve():
                    return await self._held(request)
                case Pay():
                    done = await desk_work.paid(self._site, request, at)
                    if done is None:
                        return Outcome(False, "PAID_PERHAPS")
                    return Outcome(True, transaction=request.transaction) if done else None
                case _:
                    return None

    async def _taken_back(self, asked: Checkout) -> Outcome:
        """A loan that was not: a return, when it is this patron's."""
        patron, item = await asyncio.gather(self._site.patron(asked.patron.card), self._site.item(asked.item))
        loan = await self._site.checkout_of(item["item_id"]) if item else None
        if patron is None or item is None or loan is None or loan["patron_id"] != patron["patron_id"]:
            return Outcome(False, "NOT_LENT")
        back = Checkin(asked.terminal, asked.at, asked.branch, asked.key, item=asked.item)
        done = await returning.checkin(self._site, self._returns, back)
        self._site.changed(card=asked.patron.card)
        shown = patron_view(self.settings, patron, asked.patron.card)
        return Outcome(done.ok, "" if done.ok else done.reason, item=done.item, patron=shown)

    async def _returned(self, barcode: str, at: datetime) -> Outcome | None:
        item = await self._site.item(barcode, afresh=True)
        if item is None or item.get("checked_out_date"):
            return None
        rows = await self._site.rows("/checkouts", {"item_id": item["item_id"]} | since("checkin_date", at), checked_in="true")
        return Outcome(True, item=item_view(self.settings, item)) if rows else None

    async def _has_it(self, asked: Checkout | Renew, at: datetime) -> Outcome | None:
        patron, item = await asyncio.gather(self._site.patron(asked.patron.card), self._site.item(asked.item, afresh=True))
        loan = await self._site.checkout_of(item["item_id"]) if item else None
        if patron is None or item is None or loan is None:
            return None
        if loan["patron_id"] != patron["patron_id"] and not isinstance(asked, Renew):
            return None
        lent, renewed = moment(loan["checkout_date"]) >= at, bool(loan.get("last_renewed_date")) and moment(loan["last_renewed_date"]) >= at
        if not (renewed or (lent and isinstance(asked, Checkout))):
            return None
        self._site.changed(card=asked.patron.card)
        shown = patron_view(self.settings, patron, asked.patron.card)
        return Outcome(True, item=item_view(self.settings, item), patron=shown, due=moment(loan["due_date"]), renewed=renewed)

    async def _held(self, asked: Reserve) -> Outcome | None:
        patron = await self._site.patron(asked.patron.card)
        item = await self._site.item(asked.item) if asked.item else None
        title = item["biblio_id"] if item else int(asked.title) if asked.title.isdecimal() else None
        if patron is None or (title is None and not asked.hold):
            return None
        there = await desk_work.hold_of(self._site, patron["patron_id"], title, asked.hold) is not None
        return Outcome(True, patron=patron_view(self.settings, patron, asked.patron.card)) if there == (asked.change != "delete") else None

    async def online(self) -> bool:
        """See Backend: whether it answers a question and accepts our login."""
        try:
            with within(min(3.0, self.settings.message_seconds)):
                return (await self._site.calls.ask("/api/v1/checkouts", {"_per_page": "1"})).ok
        except Away:
            return False

    async def close(self) -> None:
        """See Remote."""
        await self._returns.close()
        await self._site.calls.close()
