"""A FOLIO tenant that runs on a socket, and the back end that asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from connectors.circulation.folio import Folio, FolioSettings
from include.sandbox.servers import folio as stand_in
from include.sandbox.servers.asgi import serving
from include.sandbox.servers.folio.shapes import service_point
from include.sandbox.servers.ils import Faults, Library
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.remote.library import LIMITS, OneLogin, small_library

T = TypeVar("T")


@dataclass
class Site:
    """What runs, and how to ask it."""

    library: Library
    faults: Faults
    ports: dict[str, int]
    clock: Clock

    def settings(self, **more: Any) -> FolioSettings:
        points = {name: service_point(name) for name in ("main", "north")}
        url = f"http://127.0.0.1:{self.ports['http']}"
        return FolioSettings.model_validate(
            {"url": url, "tenant": "diku", "connection": "folio", "branches": points, "limits": LIMITS} | more
        )  # fmt: skip

    def opened(self, **more: Any) -> Folio:
        return Folio.opened(self.settings(**more), OneLogin(), now=self.clock)

    def run(self, work: Callable[[Folio], Awaitable[T]], **more: Any) -> T:
        """One conversation with a back end of its own."""

        async def whole() -> T:
            folio = self.opened(**more)
            try:
                return await work(folio)
            finally:
                await folio.close()

        return asyncio.run(whole())

    def calls(self) -> list[str]:
        """What was asked since the last look, logins left out."""
        found = [f"{method} {path}" for method, path in self.faults.asked if "authn" not in path]
        self.faults.asked.clear()
        return found


@contextmanager
def running_folio(clock: Clock) -> Iterator[Site]:
    """A tenant with the tests' library."""
    library, faults = small_library(clock), Faults()
    with serving(stand_in.Folio(library, faults=faults).application(), name="folio") as port:
        yield Site(library, faults, {"http": port}, clock)


@pytest.fixture
def site(clock: Clock) -> Iterator[Site]:
    with running_folio(clock) as found:
        yield found
