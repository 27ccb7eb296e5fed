"""A Koha that runs: its REST interface and its SIP2 server on sockets, and the back end that asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from connectors.circulation.koha import Koha, KohaSettings
from include.sandbox.servers import koha as stand_in
from include.sandbox.servers.asgi import serving
from include.sandbox.servers.ils import Faults, Library
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.remote.library import LIMITS, OneLogin, small_library

T = TypeVar("T")


@dataclass
class Site:
    """What runs, and how to ask it; `rest_checkin` returns over REST instead of SIP2."""

    library: Library
    faults: Faults
    sip: stand_in.SipServer
    ports: dict[str, int]
    clock: Clock

    def settings(self, *, rest_checkin: bool = False, **more: Any) -> KohaSettings:
        back = {"by": "rest"} if rest_checkin else {
            "by": "sip", "host": "127.0.0.1", "port": self.ports["sip"], "accounts": {"main": "main", "north": "north"}
        }  # fmt: skip
        url = f"http://127.0.0.1:{self.ports['http']}"
        return KohaSettings.model_validate({"url": url, "connection": "koha", "checkin": back, "limits": LIMITS} | more)

    def opened(self, **more: Any) -> Koha:
        return Koha.opened(self.settings(**more), OneLogin(), now=self.clock)

    def run(self, work: Callable[[Koha], Awaitable[T]], **more: Any) -> T:
        """One conversation with a back end of its own."""

        async def whole() -> T:
            koha = self.opened(**more)
            try:
                return await work(koha)
            finally:
                await koha.close()

        return asyncio.run(whole())

    def calls(self) -> list[str]:
        """What was asked since the last look, tokens left out."""
        found = [f"{method} {path.removeprefix('/api/v1')}" for method, path in self.faults.asked if "oauth" not in path]
        self.faults.asked.clear()
        return found


@contextmanager
def running_koha(clock: Clock) -> Iterator[Site]:
    """A Koha with the tests' library."""
    library, faults = small_library(clock), Faults()
    sip = stand_in.SipServer(library, {"bindery": ("secret", "main")})
    with ExitStack() as stack:
        app = stand_in.Koha(library, checkins=True, faults=faults).application()
        ports = {"http": stack.enter_context(serving(app, name="koha")), "sip": stack.enter_context(sip.serving())}
        yield Site(library, faults, sip, ports, clock)


@pytest.fixture
def site(clock: Clock) -> Iterator[Site]:
    with running_koha(clock) as found:
        yield found
