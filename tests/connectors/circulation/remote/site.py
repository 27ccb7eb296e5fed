"""A Koha or a FOLIO that runs on a socket, and the back end that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from connectors.circulation import folio, koha
from connectors.circulation.admission import Enrol
from connectors.circulation.backend import Unsure
from connectors.circulation.domain import Checkout, Credentials, Outcome, Request
from connectors.circulation.remote.system import System
from include.sandbox.servers import folio as folio_stand_in
from include.sandbox.servers import koha as koha_stand_in
from include.sandbox.servers.asgi import serving
from include.sandbox.servers.folio.shapes import service_point
from include.sandbox.servers.ils import Faults, Library
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.remote.library import LIMITS, OneLogin, small_library

T = TypeVar("T")
ME = Credentials("c1", "1234")


@dataclass
class Site:
    """What runs, and how to ask it. `own` is the stand-in itself, `sip` Koha's SIP2 server; `defaults` are the settings of its kind."""

    kind: str
    library: Library
    faults: Faults
    clock: Clock
    own: Any
    defaults: dict[str, Any]
    sip: koha_stand_in.SipServer | None = None

    def opened(self, **more: Any) -> System:
        """A back end; `more` are settings."""
        if self.kind == "koha":
            return koha.opened(koha.KohaSettings.model_validate(self.defaults | more), OneLogin(), now=self.clock)
        return folio.opened(folio.FolioSettings.model_validate(self.defaults | more), OneLogin(), now=self.clock)

    def run(self, work: Callable[[System], Awaitable[T]], **more: Any) -> T:
        """One conversation with a back end of its own."""

        async def whole() -> T:
            system = self.opened(**more)
            try:
                return await work(system)
            finally:
                await system.close()

        return asyncio.run(whole())

    def do(self, *requests: Request, **more: Any) -> list[Outcome]:
        """Requests, one after the other."""

        async def work(system: System) -> list[Outcome]:
            return [await system.perform(request) for request in requests]

        return self.run(work, **more)

    async def unanswered(self, system: System, asked: Request, fault: str = "") -> Outcome | None:
        """A request whose answer is lost by that fault, or by one that is set already. Returns what is found of it then."""
        if fault:
            self.faults.set(fault)
        with pytest.raises(Unsure):
            await system.perform(asked)
        return await system.happened(asked, self.clock())

    def lend(self, item: str = "b1", card: str = "c1", **more: Any) -> Checkout:
        """A kiosk's loan at this moment."""
        return Checkout("k", self.clock(), "main", patron=Credentials(card), item=item, **more)

    def enrol(self, card: str, pin: str) -> Enrol:
        """A new patron, asked for by another system under the same key again and again."""
        return Enrol("ncip:own", self.clock(), "main", "k1", patron=Credentials(card, pin), category="adult", given="Ann", surname="Other")

    def owed(self, amount: str) -> Decimal:
        """The first patron owes that much."""
        self.library.debts[9] = Debt(9, self.library.patrons[1], Decimal(amount), Decimal(amount))
        return Decimal(amount)

    def calls(self) -> list[str]:
        """What was asked since the last look, logins left out."""
        found = [f"{method} {path.removeprefix('/api/v1')}" for method, path in self.faults.asked if path not in self.faults.exempt]
        self.faults.asked.clear()
        return found


@contextmanager
def running(kind: str, clock: Clock) -> Iterator[Site]:
    """A library system with the tests' library."""
    library, faults = small_library(clock), Faults()
    with ExitStack() as stack:
        if kind == "koha":
            own: Any = koha_stand_in.Koha(library, checkins=True, faults=faults)
            sip = koha_stand_in.SipServer(library, {"bindery": ("secret", "main")})
            port = stack.enter_context(sip.serving())
            back = {"by": "sip", "host": "127.0.0.1", "port": port, "accounts": {"main": "main", "north": "north"}}
            defaults: dict[str, Any] = {"checkin": back}
        else:
            own, sip = folio_stand_in.Folio(library, faults=faults), None
            defaults = {"tenant": "diku", "branches": {name: service_point(name) for name in ("main", "north")}}
        url = f"http://127.0.0.1:{stack.enter_context(serving(own.application(), name=kind))}"
        yield Site(kind, library, faults, clock, own, {"url": url, "connection": kind, "limits": LIMITS} | defaults, sip)
