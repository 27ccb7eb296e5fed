"""HTTP ports over real sockets: who dawdles is closed, who asks is answered, and nobody takes all the room. The sweeper is told what time it is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.circulation.ncip.route import received
from connectors.circulation.sip2.server import Limits as MachineLimits
from connectors.circulation.webs import LARGEST_HEAD, Limits, Web
from tests.connectors.circulation.running import LOOPS, NewLoop
from tests.connectors.circulation.sip2.certificates import certificate

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = 8 << 20
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _said(request: Request) -> Response:
    if request.method == "GET":
        return PlainTextResponse("x" * LONG if request.query_params else "here")
    try:
        body = await received(request, 1 << 20, 0.05 if request.query_params else 60)
        return PlainTextResponse(f"{len(body)} bytes")
    except TimeoutError:
        return PlainTextResponse("late", status_code=408)


class Place:
    """A port, those who connect to it, and what was closed and why."""

    def __init__(self, web: Web, port: int, why: list[str]) -> None:
        self.web, self.port, self.why = web, port, why
        self._ends: list[Ends] = []

    async def connect(self, **more: Any) -> Ends:
        self._ends.append(await asyncio.open_connection("127.0.0.1", self.port, **more))
        return self._ends[-1]

    async def leave(self) -> None:
        for _, writer in self._ends:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)

    async def closed(self, reader: asyncio.StreamReader) -> bytes:
        """What still comes until the other side has closed."""
        found = b""
        async with asyncio.timeout(60):
            try:
                while piece := await reader.read(1 << 16):
                    found += piece
            except ConnectionResetError:
                pass
        return found


def at_a_port(
    work: Callable[[Place], Awaitable[None]],
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    new_loop: NewLoop = asyncio.new_event_loop,
) -> None:
    async def whole() -> None:
        why: list[str] = []
        # What the sweeper would end by itself takes minutes here.
        web = Web(
            Starlette(routes=[Route("/", _said, methods=["GET", "POST"])]), limits or Limits(head_s=500, keep_alive_s=600), why.append
        )
        place = Place(web, await web.listen("127.0.0.1", 0, tls), why)
        try:
            await work(place)
        finally:
            web.end()
            await web.task
            await place.leave()
            assert web.connections == set() and not web._addresses

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(whole())


async def ask(ends: Ends, what: bytes = ASK) -> bytes:
    """An answer that has come whole: its body is short and of a length that is told."""
    ends[1].write(what)
    async with asyncio.timeout(60):
        head = await ends[0].readuntil(b"\r\n\r\n")
        length = next(int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        return head + await ends[0].readexactly(length)


@pytest.mark.parametrize("begun", [0, 1, 10])
def test_a_head_that_does_not_come_whole_is_waited_for_so_long_and_no_longer(begun: int) -> None:
    async def work(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(ASK[:begun])
        await place.until(lambda: [one._head for one in place.web.connections] == [begun])
        began = monotonic()
        for count, second in enumerate((100, 200, 300, 400) if begun else (), 1):
            writer.write(ASK[begun + count - 1 : begun + count])  # a byte now and then helps nobody
            await place.until(lambda: [one._head for one in place.web.connections] == [begun + count])  # noqa: B023
            place.web.look(began + second)
        assert place.why == []
        place.web.look(began + 501)
        assert await place.closed(reader) == b"" and place.why == ["no request"]

    at_a_port(work)


def test_who_goes_on_asking_over_one_connection_is_answered_and_who_begins_and_stops_is_closed() -> None:
    async def work(place: Place) -> None:
        ends = await place.connect()
        began = monotonic()
        for second in range(0, 3000, 400):
            assert b" 200 " in (await ask(ends)).splitlines()[0] + b" "
            place.web.look(began + second)
        ends[1].write(b"GET")  # uvicorn's own time-out would end with the first byte
        place.web.look(began + 3400)
        assert place.why == ["no request"] and await place.closed(ends[0]) == b""

    at_a_port(work)


def test_a_body_that_comes_by_halves_is_answered_so_and_its_connection_does_not_stay() -> None:
    async def work(place: Place) -> None:
        ends = await place.connect()
        began = monotonic()
        assert (await ask(ends, b"POST /?slow=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nhalf")).startswith(b"HTTP/1.1 408")
        for second in (1, 400, 502):
            place.web.look(began + second)
            ends[1].write(b"y")
            await asyncio.sleep(0)
        assert place.why == ["no request"]
        await place.closed(ends[0])

    at_a_port(work)


def test_a_body_may_be_long_and_a_head_may_not() -> None:
    async def work(place: Place) -> None:
        ends = await place.connect()
        long = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000)
        assert b"500000 bytes" in await ask(ends, long) and b"500000 bytes" in await ask(ends, long)
        reader, writer = await place.connect()
        writer.write(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (LARGEST_HEAD // 6 + 10))
        await place.closed(reader)
        await place.until(lambda: len(place.web.connections) == 1)
        assert b"here" in await ask(ends)

    at_a_port(work)


def test_who_does_not_read_what_was_asked_for_is_closed() -> None:
    async def work(place: Place) -> None:
        reader, writer = await place.connect(limit=1024)
        writer.write(ASK.replace(b"/ ", b"/?long=1 "))
        await place.until(lambda: [one for one in place.web.connections if one._stuck_since is not None])
        place.web.look(monotonic() + 29)
        assert place.why == []
        place.web.look(monotonic() + 31)
        assert place.why == ["it does not read"]
        assert len(await place.closed(reader)) < LONG

    at_a_port(work)


@pytest.mark.parametrize(
    ("limits", "why"),
    [(Limits(connections=2), "too many connections"), (Limits(of_address=2), "too many connections of one address")],
)
def test_there_is_room_for_so_many_connections_and_for_the_next_once_one_is_gone(limits: Limits, why: str) -> None:
    async def work(place: Place) -> None:
        first, _second = await place.connect(), await place.connect()
        await place.until(lambda: len(place.web.connections) == 2)
        third, _ = await place.connect()
        assert await place.closed(third) == b"" and place.why == [why]
        assert b"here" in await ask(first)
        first[1].close()
        await place.until(lambda: len(place.web.connections) == 1)
        assert b"here" in await ask(await place.connect())

    at_a_port(work, limits)


def _tls(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The port's, and that of who trusts it."""
    chain, key = certificate(folder, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context, ssl.create_default_context(cafile=str(chain))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_tls_handshake_that_is_not_gone_on_with_ends_and_one_that_is_is_answered(tmp_path: Path, loop: str) -> None:
    assert Limits().handshake_s == MachineLimits().handshake_s == 10
    context, trusting = _tls(tmp_path)

    async def silent(place: Place) -> None:
        assert await place.closed((await place.connect())[0]) == b""
        await place.until(lambda: place.why == ["no TLS handshake"] and place.web.connections == set())

    async def shakes(place: Place) -> None:
        assert b"here" in await ask(await place.connect(ssl=trusting, server_hostname="localhost"))
        assert place.why == []

    at_a_port(silent, Limits(handshake_s=0.1), context, LOOPS[loop])
    at_a_port(shakes, tls=context, new_loop=LOOPS[loop])


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(handshake_s=600, head_s=500, connections=2), "too many connections"),
        (Limits(handshake_s=600, head_s=500, of_address=2), "too many connections of one address"),
    ],
)
def test_who_has_not_shaken_hands_has_a_place_like_anybody_else(tmp_path: Path, limits: Limits, why: str, loop: str) -> None:
    context, trusting = _tls(tmp_path)

    async def work(place: Place) -> None:
        first, _second = await place.connect(), await place.connect()
        await place.until(lambda: len(place.web.connections) == 2)
        third, _ = await place.connect()
        assert await place.closed(third) == b"" and place.why == [why]
        with pytest.raises(OSError):
            await place.connect(ssl=trusting, server_hostname="localhost")
        assert place.why == [why, why]
        first[1].close()
        await place.until(lambda: len(place.web.connections) == 1)
        assert b"here" in await ask(await place.connect(ssl=trusting, server_hostname="localhost"))
        assert len(place.web.connections) == 2 and place.why == [why, why]
        place.web.look(monotonic() + 499)  # a handshake has its own time
        assert len(place.web.connections) == 2

    at_a_port(work, limits, context, LOOPS[loop])
