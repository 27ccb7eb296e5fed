"""Calls to a library system that is slow, dribbles, never ends, or answers what no interface answers: each ends, and nothing is taken for done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from connectors.circulation.backend import Away, Unsure
from connectors.circulation.domain import Pay
from connectors.circulation.koha.login import OAuth2
from connectors.circulation.remote import http
from connectors.circulation.remote.http import Calls
from connectors.circulation.remote.system import System
from include.engine.credentials import Connection
from tests.connectors.circulation.remote.site import ME, Site
from tests.loopback import dribbles, server

PATIENCE = 20.0
"""A time that nothing here comes near, but what never ends."""


class Nobody:
    """No login."""

    async def headers(self, http: httpx.AsyncClient) -> Mapping[str, str]:
        return {}

    def forget(self, shown: Mapping[str, str]) -> None:
        return


async def _never_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


async def _says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_an_answer_that_dribbles_ends_with_its_time() -> None:
    async def work() -> None:
        async with server(dribbles) as url, asyncio.timeout(PATIENCE):
            calls = Calls("It", url, Nobody(), call_seconds=0.8)
            asked = calls.ask("/items"), calls.change("POST", "/checkouts")
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert [type(one) for one in found] == [Away, Unsure]
            await calls.close()

    asyncio.run(work())


def test_an_answer_that_does_not_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST", 1 << 20)

    async def work() -> None:
        async with server(_never_ends) as url, asyncio.timeout(PATIENCE):
            calls = Calls("It", url, Nobody(), call_seconds=10)
            with pytest.raises(Away, match="longer than"):
                await calls.ask("/items")
            await calls.close()

    asyncio.run(work())


def test_while_no_login_is_to_be_had_nobody_waits_for_the_others() -> None:
    async def work() -> None:
        async with server(_says_nothing) as url:
            calls = Calls("It", url, OAuth2(Connection("it", "http", login="a", password="b")), call_seconds=0.3)
            asked = [calls.ask("/items") for _ in range(10)]
            async with asyncio.timeout(PATIENCE):  # one after the other, each with the login's own time-out, they would take fifty seconds
                found = await asyncio.gather(*asked, return_exceptions=True)
            assert [type(one) for one in found] == [Away] * 10
            await calls.close()

    asyncio.run(work())


def test_a_login_that_is_answered_with_a_page_is_none() -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<p/>")
        await writer.drain()

    async def work() -> None:
        async with server(page) as url, asyncio.timeout(PATIENCE):
            calls = Calls("It", url, OAuth2(Connection("it", "http", login="a", password="b")))
            with pytest.raises(Away, match="no login was had") as error:
                await calls.change("POST", "/checkouts")
            assert not isinstance(error.value, Unsure)  # nothing was sent
            await calls.close()

    asyncio.run(work())


def test_a_login_that_has_expired_is_renewed_once_for_everybody(site: Site) -> None:
    async def work(system: System) -> int:
        await system.item("b1")
        site.faults.asked.clear()
        site.faults.seconds = 0.5
        site.faults.set("slow")
        late = asyncio.ensure_future(system.item("d1"))  # shows the old login, and hears of it when somebody has a new one
        while not site.faults.asked:
            await asyncio.sleep(0.005)
        site.faults.set("token_expires")
        assert await system.item("b2") is not None
        assert await late is not None
        return sum(path in site.faults.exempt for _, path in site.faults.asked)

    assert site.run(work) == 1


def test_a_page_for_people_is_no_library_system(site: Site) -> None:
    async def work(system: System) -> None:
        assert await system.online()
        site.faults.set("page", 9)
        assert not await system.online()
        with pytest.raises(Away):
            await system.patron(ME)

    site.run(work)


def test_a_page_for_people_does_not_say_that_money_was_booked(site: Site) -> None:
    asked = Pay("k", site.clock(), "main", "key1", patron=ME, amount=site.owed("50"), transaction="T1")

    assert site.run(lambda system: site.unanswered(system, asked, "change_page")) is None
    assert site.library.payments == []
