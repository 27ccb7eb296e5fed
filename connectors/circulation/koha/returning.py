"""Returns at Koha: over its SIP2 server, as self-checks at Koha sites do, or over POST /checkins where a site runs a Koha that has it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from time import monotonic
from typing import Protocol

from connectors.circulation.backend import Away, Odd, Unsure
from connectors.circulation.domain import Checkin, Hold, Item, Outcome, Patron
from connectors.circulation.koha import refusals
from connectors.circulation.koha.settings import SipCheckin
from connectors.circulation.koha.site import Site
from connectors.circulation.koha.views import hold_view, item_view, patron_view
from connectors.circulation.remote.http import left
from connectors.circulation.remote.values import Json, moment
from connectors.circulation.sip2.client import Client
from connectors.circulation.sip2.codec import Parsed
from connectors.circulation.sip2.dates import stamp
from include.engine.credentials import Connection

SECONDS = 8.0
IDLE_SECONDS = 20.0
"""After so long a connection is asked whether it is still there: a return must not be what finds out."""
_TROUBLE = (OSError, TimeoutError, ValueError)
"""What goes wrong with a connection."""


class Returns(Protocol):
    """One of the two ways."""

    async def take_back(self, site: Site, asked: Checkin, item: Json) -> Outcome: ...

    async def close(self) -> None: ...


async def checkin(site: Site, returns: Returns, asked: Checkin) -> Outcome:
    """Take a copy back, the way that returns go at this site."""
    item = await site.item(asked.item)
    if item is None:
        return Outcome(False, "ITEM_UNKNOWN")
    if asked.no_block:
        loan = await site.checkout_of(item["item_id"])
        if loan is not None and moment(loan["checkout_date"]) > (asked.returned or asked.at):
            return Outcome(True, "RETURNED_BEFORE", item=item_view(site.settings, item))
    outcome = await returns.take_back(site, asked, item)
    site.changed(barcode=asked.item, item_id=item["item_id"])
    site.everyone_changed()
    return outcome


class OverRest:
    """POST /checkins (Koha bug 24401). Known from development branches of 2026 alone."""

    async def take_back(self, site: Site, asked: Checkin, item: Json) -> Outcome:
        """See Returns."""
        library = site.settings.theirs(asked.branch)
        body: Json = {"external_id": asked.item} | ({"library_id": library} if library else {})
        headers = {**site.at(asked.branch), "x-koha-embed": "hold,hold.patron,transfer,checkout"}
        reply = await site.calls.change("POST", "/api/v1/checkins", body, headers=headers)
        view = item_view(site.settings, item | {"checked_out_date": None})
        if reply.status in (403, 412):
            return Outcome(False, "ITEM_NOT_FOR_LOAN" if reply.status == 403 else refusals.UNKNOWN, item=view)
        if reply.status == 404:
            return Outcome(False, "ITEM_UNKNOWN")
        if not reply.ok:
            raise site.odd(reply, "a return")
        found, hold = reply.data, reply.data.get("hold")
        if hold:
            waiting = patron_view(site.settings, hold["patron"], hold["patron"].get("cardnumber") or "")
            return _for_hold(view, hold_view(site.settings, hold, {item["item_id"]: item}), waiting)
        if there := (found.get("transfer") or {}).get("to_library_id"):
            return Outcome(True, "OTHER_BRANCH", item=view, route=site.settings.ours(there))
        return Outcome(True, "" if found.get("checkout_id") else "NOT_LENT", item=view)

    async def close(self) -> None:
        """See Returns."""


class OverSip:
    """Koha's SIP2 server: one connection for each of our branches, for the account says at which library it happens."""

    def __init__(self, settings: SipCheckin, accounts: Mapping[str, Connection], *, seconds: float = SECONDS) -> None:
        self._settings, self._accounts, self._seconds = settings, accounts, seconds
        self._clients: dict[str, tuple[Client, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def take_back(self, site: Site, asked: Checkin, item: Json) -> Outcome:
        """See Returns. SIP2 answers in turn, so one return at a time and branch."""
        name = asked.branch if asked.branch in self._accounts else "*"
        async with self._turn(name) as client:
            zone, returned = site.settings.zone, asked.returned or asked.at
            # With "no block" Koha takes the return date as the day on which it came back.
            fixed = {"no block": "NY"[asked.no_block], "transaction date": stamp(asked.at, zone), "return date": stamp(returned, zone)}
            fields = {"AP": site.settings.theirs(asked.branch), "AO": self._settings.institution, "AB": asked.item, "AC": ""}
            try:
                async with asyncio.timeout(left(self._seconds)):
                    answer = await client.ask("09", fixed, fields)
                if answer.code != "10":
                    raise ValueError("it is no answer to a return")
            except BaseException as error:
                client.cut()
                if not isinstance(error, _TROUBLE):
                    raise
                raise Unsure(
                    f"Koha's SIP2 server did not say what came of a return ({type(error).__name__})", do="It is looked up."
                ) from error
            self._clients[name] = client, monotonic()
        return _outcome(site, item, answer)

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[Client]:
        """A connection that nobody else uses meanwhile. Away when there is none within the message's time: nothing was sent."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(left(self._seconds)):
                    await held.enter_async_context(self._locks.setdefault(name, asyncio.Lock()))
                    client = await self._there(name)
            except TimeoutError as error:
                raise self._away(error) from error
            yield client

    async def _there(self, name: str) -> Client:
        client, used = self._clients.pop(name, (None, 0.0))
        if client is not None and monotonic() - used > IDLE_SECONDS:
            try:
                await client.ask("99")
            except BaseException as error:
                client.cut()
                client = None
                if not isinstance(error, _TROUBLE):
                    raise
        return client or await self._connected(name)

    async def _connected(self, name: str) -> Client:
        account = self._accounts.get(name)
        if account is None:
            raise Odd(f"there is no SIP2 account of Koha's for the branch {name}", do="Name one in koha.checkin.accounts, or `*` for all.")
        tls = ssl.create_default_context() if self._settings.tls else None
        client: Client | None = None
        try:
            client = await Client.connect(
                self._settings.host, self._settings.port, tls=tls, encoding=self._settings.encoding, seconds=self._seconds
            )  # fmt: skip
            answer = await client.ask("93", {}, {"CN": account.login, "CO": account.password})
            if answer.fixed.get("ok") != "1":
                raise Odd("Koha's SIP2 server does not accept our login", do="Check the account in Koha's SIP configuration.")
        except BaseException as error:
            if client is not None:
                client.cut()
            if isinstance(error, _TROUBLE):
                raise self._away(error) from error
            raise
        return client

    def _away(self, error: Exception) -> Away:
        return Away(f"Koha's SIP2 server does not answer ({type(error).__name__})", do="It is asked again in a while.")

    async def close(self) -> None:
        """See Returns."""
        for client, _ in self._clients.values():
            with suppress(OSError):
                await client.close()
        self._clients.clear()


def _outcome(site: Site, item: Json, answer: Parsed) -> Outcome:
    view = item_view(site.settings, item | {"checked_out_date": None})
    kind, there = answer.fields.get("CV", ""), site.settings.ours(answer.fields.get("CT", ""))
    if kind in ("01", "02"):
        card = answer.fields.get("CY", "")
        blank: Json = {"patron_id": card, "surname": answer.fields.get("DA", "")}
        return _for_hold(view, Hold("", str(item["biblio_id"]), there, kind == "01", view.item), patron_view(site.settings, blank, card))
    if kind == "04":
        return Outcome(True, "OTHER_BRANCH", item=view, route=there)
    if answer.fixed.get("ok") == "1":
        return Outcome(True, "" if answer.fields.get("AA") else "NOT_LENT", item=view)
    if kind == "99" or view.status in ("lost", "withdrawn"):
        return Outcome(False, "ITEM_NOT_FOR_LOAN" if view.status in ("lost", "withdrawn") else refusals.UNKNOWN, item=view)
    return Outcome(True, "NOT_LENT", item=view)


def _for_hold(view: Item, hold: Hold, waiting: Patron) -> Outcome:
    return Outcome(True, "HOLD_WAITING", item=view, route=hold.pickup, hold=hold, waiting=waiting)
