"""Koha behind self-service: each request's calls, and what Koha's state says of a request that it did not answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.circulation.admission import Accept, Admission, Discard, Enrol
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Item, Outcome, Patron, Pay, Renew, Request, Reserve
from connectors.circulation.koha import desk_work, enrolling, interlending, lending, returning
from connectors.circulation.koha.login import Basic, OAuth2
from connectors.circulation.koha.settings import KohaSettings, SipCheckin
from connectors.circulation.koha.site import Site, since
from connectors.circulation.koha.views import item_view, patron_view
from connectors.circulation.remote.http import Calls, Login
from connectors.circulation.remote.system import SKEW, Lent, System
from connectors.circulation.remote.values import moment
from include.engine import clock
from include.engine.credentials import Credentials as Connections


def opened(
    settings: KohaSettings, connections: Connections, *, verify: bool | ssl.SSLContext = True, now: Callable[[], datetime] = clock.now
) -> System:
    """Koha with the secrets of its connections; nothing is asked yet. MissingCredential names the connection that is not set up."""
    connection = connections.get(settings.connection)
    login: Login = OAuth2(connection) if settings.login == "oauth2" else Basic(connection)
    calls = Calls(
        "Koha", settings.url, login, call_seconds=settings.call_seconds, connections=settings.connections, verify=verify
    )  # fmt: skip
    returns: returning.Returns = returning.OverRest()
    if isinstance(settings.checkin, SipCheckin):
        accounts = {branch: connections.get(name) for branch, name in settings.checkin.accounts.items()}
        returns = returning.OverSip(settings.checkin, accounts)
    return System(Koha(settings, Site(settings, calls), returns, now))


_DO: dict[type, Callable[[Site, Any], Awaitable[Outcome]]] = {
    Checkout: lending.checkout,
    Renew: lending.renew,
    Reserve: desk_work.reserve,
    Pay: desk_work.pay,
    Block: desk_work.block,
    Discard: interlending.discard,
    Enrol: enrolling.enrol,
}


@dataclass(frozen=True)
class Koha:
    """See Ways. `returns` is the way that returns go."""

    settings: KohaSettings
    site: Site
    returns: returning.Returns
    now: Callable[[], datetime] = clock.now
    backdates: bool = False  # POST /checkouts takes no date

    async def patron(self, who: Credentials, *, whole: bool) -> Patron | None:
        """See Ways."""
        found, right = await asyncio.gather(self.site.patron(who.card), self.site.pin_right(who))
        return await self.site.view(found, who, right, whole=whole) if found else None

    async def item(self, item: str) -> Item | None:
        """See Ways. Two questions more at once when there is something to ask: when it is due, and who waits for its title."""
        found = await self.site.item(item, afresh=True)
        if found is None:
            return None
        holds, loan = await asyncio.gather(
            self.site.rows("/holds", {"biblio_id": found["biblio_id"]}),
            self.site.checkout_of(found["item_id"]) if found.get("checked_out_date") else asyncio.sleep(0),
        )
        due = moment(loan["due_date"]) if loan else None
        return item_view(self.settings, found, due=due, holds=tuple(holds))

    async def do(self, asked: Request | Admission) -> Outcome:
        """See Ways."""
        if isinstance(asked, Checkin):
            return await self._check_in(asked)
        if isinstance(asked, Accept):
            return await interlending.accept(self.site, asked, self._check_in)
        return await _DO[type(asked)](self.site, asked)

    async def lent(self, card: str, item: str) -> Lent | None:
        """See Ways."""
        patron, copy = await asyncio.gather(self.site.patron(card), self.site.item(item, afresh=True))
        loan = await self.site.checkout_of(copy["item_id"]) if copy else None
        if patron is None or copy is None or loan is None:
            return None
        renewed = loan.get("last_renewed_date")
        return Lent(
            own=loan["patron_id"] == patron["patron_id"],
            patron=patron_view(self.settings, patron, card),
            item=item_view(self.settings, copy),
            due=moment(loan["due_date"]),
            lent=moment(loan["checkout_date"]),
            renewed=moment(renewed) if renewed else None,
        )

    async def returned(self, item: str, since_then: datetime, told: datetime | None) -> Item | None:
        """See Ways. The day it came back may be the one that Koha was told."""
        at = min(since_then, told - SKEW) if told else since_then
        copy = await self.site.item(item, afresh=True)
        if copy is None or copy.get("checked_out_date"):
            return None
        query = {"item_id": copy["item_id"]} | since("checkin_date", at, self.settings.zone)
        rows = await self.site.rows("/checkouts", query, checked_in="true")
        return item_view(self.settings, copy) if rows else None

    async def held(self, asked: Reserve) -> tuple[bool, Patron] | None:
        """See Ways."""
        patron = await self.site.patron(asked.patron.card)
        item = await self.site.item(asked.item) if asked.item else None
        title = item["biblio_id"] if item else int(asked.title) if asked.title.isdecimal() else None
        if patron is None or (title is None and not asked.hold):
            return None
        there = await desk_work.hold_of(self.site, patron["patron_id"], title, asked.hold) is not None
        return there, patron_view(self.settings, patron, asked.patron.card)

    async def paid(self, asked: Pay) -> Outcome | None:
        """See Ways."""
        return await desk_work.paid(self.site, asked)

    async def blocked(self, asked: Block) -> bool | None:
        """See Ways: Koha has none."""
        return None

    async def admitted(self, asked: Admission, since: datetime) -> Outcome | None:
        """See Ways."""
        match asked:
            case Accept():
                return await interlending.accepted(self.site, asked, self._check_in)
            case Discard():
                return await interlending.discarded(self.site, asked)
            case Enrol():
                return await enrolling.enrolled(self.site, asked, since)

    async def _check_in(self, asked: Checkin) -> Outcome:
        return await returning.checkin(self.site, self.returns, asked)

    def changed(self, card: str) -> None:
        """See Ways."""
        self.site.changed(card=card)

    async def answers(self) -> bool:
        """See Ways."""
        return (await self.site.calls.ask("/api/v1/checkouts", {"_per_page": "1"})).ok

    async def close(self) -> None:
        """See Ways."""
        await self.returns.close()
        await self.site.calls.close()
