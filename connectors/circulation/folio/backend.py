"""FOLIO behind self-service: each request's calls, and what FOLIO's state says of a request that it did not answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from connectors.circulation.admission import Accept, Admission, Discard, Enrol
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Item, Outcome, Patron, Pay, Renew, Request, Reserve
from connectors.circulation.folio import cql, desk_work, enrolling, interlending, lending
from connectors.circulation.folio.login import TokenLogin
from connectors.circulation.folio.settings import FolioSettings
from connectors.circulation.folio.site import Site
from connectors.circulation.folio.views import item_view
from connectors.circulation.remote.http import Calls
from connectors.circulation.remote.system import Lent, System
from connectors.circulation.remote.values import moment
from include.engine import clock
from include.engine.credentials import Credentials as Connections


def opened(
    settings: FolioSettings, connections: Connections, *, verify: bool | ssl.SSLContext = True, now: Callable[[], datetime] = clock.now
) -> System:
    """FOLIO with the secrets of its connection; nothing is asked yet. MissingCredential names the connection that is not set up."""
    login = TokenLogin(connections.get(settings.connection), settings.tenant)
    calls = Calls(
        "FOLIO", settings.url, login, headers={"Accept": "application/json"}, call_seconds=settings.call_seconds,
        connections=settings.connections, verify=verify,
    )  # fmt: skip
    return System(Folio(settings, Site(settings, calls, now), now))


_DO: dict[type, Callable[[Site, Any], Awaitable[Outcome]]] = {
    Checkout: lending.checkout,
    Checkin: lending.checkin,
    Renew: lending.renew,
    Reserve: desk_work.reserve,
    Pay: desk_work.pay,
    Block: desk_work.block,
    Accept: interlending.accept,
    Discard: interlending.discard,
    Enrol: enrolling.enrol,
}


@dataclass(frozen=True)
class Folio:
    """See Ways."""

    settings: FolioSettings
    site: Site
    now: Callable[[], datetime] = clock.now
    backdates: bool = True

    async def patron(self, who: Credentials, *, whole: bool) -> Patron | None:
        """See Ways."""
        user = await self.site.user(who.card)
        if user is None:
            return None
        right, shown = await asyncio.gather(self.site.pin_right(who, user), self.site.view(user, who, None, whole=whole))
        return replace(shown, pin_right=right)

    async def item(self, item: str) -> Item | None:
        """See Ways. Three questions more at once: when it is due, who waits for it, and which title it is of."""
        found = await self.site.item(item)
        if found is None:
            return None
        lent = (found.get("status") or {}).get("name") == "Checked out"
        requests, loan, title = await asyncio.gather(
            self.site.requests("itemId", found["id"]),
            self.site.loan_of(found["id"]) if lent else asyncio.sleep(0),
            self.site.title_of(found),
        )
        return item_view(self.settings, found | {"instanceId": title}, due=moment(loan["dueDate"]) if loan else None, holds=len(requests))

    async def do(self, asked: Request | Admission) -> Outcome:
        """See Ways."""
        return await _DO[type(asked)](self.site, asked)

    async def lent(self, card: str, item: str) -> Lent | None:
        """See Ways. FOLIO says what the last action was, and when."""
        user, copy = await asyncio.gather(self.site.user(card), self.site.item(item))
        loan = await self.site.loan_of(copy["id"]) if copy else None
        if user is None or copy is None or loan is None:
            return None
        changed = moment(loan["metadata"]["updatedDate"])
        action = str(loan.get("action", "")).casefold()  # also checkedOutThroughOverride, renewedThroughOverride
        dated = action == "duedatechanged"  # by us, after a loan or a renewal (lending.promised)
        return Lent(
            own=loan["userId"] == user["id"],
            patron=await self.site.shown(user, card),
            item=item_view(self.settings, copy),
            due=moment(loan["dueDate"]),
            lent=changed if action.startswith("checkedout") or (dated and not loan.get("renewalCount")) else None,
            renewed=changed if action.startswith("renewed") or (dated and loan.get("renewalCount")) else None,
        )

    async def returned(self, item: str, since: datetime, told: datetime | None) -> Item | None:
        """See Ways. FOLIO keeps the moment at which it heard of a return beside the one that it was told."""
        copy = await self.site.item(item)
        if copy is None or await self.site.loan_of(copy["id"]) is not None:
            return None
        query = cql.both(cql.same("itemId", copy["id"]), 'status.name=="Closed"', cql.since("systemReturnDate", since))
        rows = await self.site.rows("/circulation/loans", "loans", query, limit="1")
        return item_view(self.settings, copy) if rows else None

    async def held(self, asked: Reserve) -> tuple[bool, Patron] | None:
        """See Ways."""
        user = await self.site.user(asked.patron.card)
        if user is None:
            return None
        item = await self.site.item(asked.item) if asked.item else None
        instance = await self.site.instance_of(item) if item else asked.title
        there = bool(instance or asked.hold) and await desk_work.request_of(self.site, user["id"], instance, asked.hold) is not None
        return there, await self.site.shown(user, asked.patron.card)

    async def paid(self, asked: Pay) -> Outcome | None:
        """See Ways."""
        return await desk_work.paid(self.site, asked)

    async def blocked(self, asked: Block) -> bool | None:
        """See Ways."""
        user = await self.site.user(asked.patron.card)
        return bool(user and await desk_work.blocks_of(self.site, user["id"]))

    async def admitted(self, asked: Admission, since: datetime) -> Outcome | None:
        """See Ways. What is made gets a UUID of its request, so that doing it again goes on where it stopped."""
        if isinstance(asked, Discard):
            return Outcome(True) if await self.site.item(asked.item) is None else None
        return None

    def changed(self, card: str) -> None:
        """See Ways."""
        self.site.changed(card)

    async def answers(self) -> bool:
        """See Ways."""
        return (await self.site.calls.ask("/circulation/loans", {"query": "cql.allRecords=1", "limit": "0"})).ok

    async def close(self) -> None:
        """See Ways."""
        await self.site.calls.close()
