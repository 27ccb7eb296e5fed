"""Store and forward before a Koha or a FOLIO that runs, goes away and comes back: on the same port, with the same library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from connectors.circulation.backend import Remote
from connectors.circulation.domain import Checkin, Checkout, Credentials, Outcome, Renew, Request
from connectors.circulation.embedded.rules import Limits, Rules
from connectors.circulation.folio import FolioSettings
from connectors.circulation.folio import opened as open_folio
from connectors.circulation.forwarding import Forwarding, Policy, opened
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.koha import KohaSettings
from connectors.circulation.koha import opened as open_koha
from include.engine.crypto.keys import MemoryKeyStore
from include.sandbox.servers import folio, koha
from include.sandbox.servers.asgi import serving
from include.sandbox.servers.folio.shapes import service_point
from include.sandbox.servers.ils import Faults, Library
from include.sandbox.servers.ils.state import Copy as Book
from include.sandbox.servers.ils.state import Loan, Patron
from include.sandbox.servers.ports import free_port
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.remote.library import LIMITS, OneLogin, small_library

T = TypeVar("T")


class Place:
    """A library system that can be switched off and on, and the sidecar's folder before it."""

    def __init__(self, kind: str, home: Path, keys: MemoryKeyStore, clock: Clock) -> None:
        self.kind, self.home, self.keys, self.clock = kind, home, keys, clock
        self.library: Library = small_library(clock)
        self.faults = Faults()
        self.more: dict[str, Any] = {}
        self.policy = Policy.model_validate(
            {"services": ["checkout", "checkin", "renew", "fee"], "tries": 2, "breaker": {"failures": 1, "probe_seconds": 5}}
        )
        kinds: dict[str, Any] = {"koha": partial(koha.Koha, checkins=True), "folio": folio.Folio}
        self.own = kinds[kind](self.library, faults=self.faults)
        self._app: Any = self.own.application()
        self._running: ExitStack | None = None
        self.port = free_port()
        self.on()

    def on(self) -> None:
        """The library system is there."""
        self._running = ExitStack()
        self._running.enter_context(serving(self._app, port=self.port, name=self.kind))

    def off(self) -> None:
        """Nobody listens at its port."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def remote(self) -> Remote:
        url = f"http://127.0.0.1:{self.port}"
        base = {"url": url, "connection": "it", "limits": LIMITS} | self.more
        if self.kind == "koha":
            return open_koha(KohaSettings.model_validate({"checkin": {"by": "rest"}} | base), OneLogin(), now=self.clock)
        points = {name: service_point(name) for name in ("main", "north")}
        return open_folio(FolioSettings.model_validate(base | {"tenant": "diku", "branches": points}), OneLogin(), now=self.clock)

    def opened(self, copy: Copy | None = None) -> Forwarding:
        rules = Rules(defaults=Limits(loan_days=28))
        return opened(self.home, self.keys, self.remote(), copy or Copy(rules), self.policy, now=self.clock)

    def run(self, work: Callable[[Forwarding], Awaitable[T]], copy: Copy | None = None) -> T:
        """The life of one process."""

        async def whole() -> T:
            forwarding = self.opened(copy)
            try:
                return await work(forwarding)
            finally:
                await forwarding.close()

        return asyncio.run(whole())

    def lend(self, item: str, card: str = "c1", key: str | None = None, **more: Any) -> Checkout:
        return Checkout(
            "k1", self.clock(), "main", key or f"lend {card} {item} {self.clock()}", patron=Credentials(card), item=item, **more
        )

    def back(self, item: str, **more: Any) -> Checkin:
        return Checkin("k1", self.clock(), "main", f"back {item} {self.clock()}", item=item, **more)

    def renew(self, item: str, card: str = "c1") -> Renew:
        return Renew("k1", self.clock(), "main", f"renew {item} {self.clock()}", patron=Credentials(card), item=item)

    async def waits(self, forwarding: Forwarding, *loans: tuple[str, str]) -> None:
        """These loans (item, card), and returns (without a card), wait for a library system that is back."""
        self.off()
        self.clock.on(minutes=1)
        for item, card in loans:
            assert (await forwarding.perform(self.lend(item, card) if card else self.back(item))).ok
        self.on()

    async def fails(self, forwarding: Forwarding, *loans: tuple[str, str], over: str = "") -> None:
        """They wait for one that is back and fails at this copy's loans, or at everybody's; until `del library.lend`."""
        await self.waits(forwarding, *loans)
        lend = self.library.lend

        def lends(patron: Patron, copy: Book, *more: Any) -> Loan:
            if copy.barcode == over or not over:
                raise RuntimeError("the library system trips")
            return lend(patron, copy, *more)

        self.library.lend = lends  # type: ignore[method-assign]

    async def turn(self, forwarding: Forwarding, **later: float) -> int:
        """So much later it is told what waits. Returns how many were told."""
        self.clock.on(**later)
        return await forwarding.turn()

    def goes_away_after_the_work(self) -> None:
        """The next loan is made, its answer is lost, and nothing can be looked up; until `del library.lend`."""
        lend = self.library.lend

        def lends(*asked: Any) -> Loan:
            self.faults.set("maintenance", 9)
            return lend(*asked)

        self.library.lend = lends  # type: ignore[method-assign]
        self.faults.set("change_error")

    def do(self, *requests: Request) -> list[Outcome]:
        async def work(forwarding: Forwarding) -> list[Outcome]:
            return [await forwarding.perform(request) for request in requests]

        return self.run(work)


def reasons(forwarding: Forwarding) -> list[tuple[str, str]]:
    """Item and reason of each conflict that is open."""
    return [(one.asked.get("item", ""), one.reason) for one in forwarding.conflicts()]


@contextmanager
def place_of(kind: str, home: Path, keys: MemoryKeyStore, clock: Clock) -> Iterator[Place]:
    place = Place(kind, home, keys, clock)
    try:
        yield place
    finally:
        place.off()


@pytest.fixture(params=["koha", "folio"])
def place(request: pytest.FixtureRequest, home: Path, keys: MemoryKeyStore, clock: Clock) -> Iterator[Place]:
    with place_of(request.param, home, keys, clock) as found:
        yield found
