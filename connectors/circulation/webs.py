"""HTTP ports that nobody can fill: connections are counted, and one that dawdles is closed.

uvicorn answers; it closes a connection that asks nothing more (timeout_keep_alive), and the applications give a body fifteen seconds. What it
does not know is a head that never ends, an answer that is not read, a TLS handshake that is not gone on with, and how many connections an
address has. So its protocol stands behind one of ours, which looks at what goes through, and TLS behind `handshakes`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from connectors.circulation.handshakes import BACKLOG, LATE, Handshakes

log = logging.getLogger("bindery.circulation")

LARGEST_HEAD = 64 * 1024
"""Bytes of a request's head, or of what stands in for one."""
_QUIET: Any = {"log_level": "warning", "access_log": False, "server_header": False, "lifespan": "off", "ws": "none"}


@dataclass(frozen=True)
class Limits:
    """Of one port. `head_s`: until a request's head is there; `stuck_s`: an answer that is not read; `of_address`: a proxy has one address for
    all that ask through it."""

    connections: int = 1000
    of_address: int = 250
    handshake_s: float = 10.0
    head_s: float = 15.0
    stuck_s: float = 30.0
    keep_alive_s: int = 5


class Web:
    """An application on a port, until `end`. `closed` is told why, for each connection that is not let in or not let stay."""

    def __init__(self, app: ASGIApp, limits: Limits | None = None, closed: Callable[[str], None] = lambda _: None) -> None:
        self.limits, self._closed = limits or Limits(), closed
        self.connections: set[_Connection] = set()
        self._addresses: Counter[str] = Counter()
        self._server = _Server(uvicorn.Config(app, timeout_keep_alive=self.limits.keep_alive_s, **_QUIET))

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on a port (0: any free one); returns which. `task` ends when all that was asked is answered after `end`."""
        loop = asyncio.get_running_loop()
        self._server.config.load()
        if tls is not None:
            shaking = Handshakes(tls, self.limits.handshake_s, self._begun, self._shaken)
            found = await shaking.listen(host, port)
            self.task = loop.create_task(self._run(shaking))
            return found
        listening = await loop.create_server(lambda: _Connection(self, self._inner()), host, port, backlog=BACKLOG)
        self.task = loop.create_task(self._run(listening))
        return int(listening.sockets[0].getsockname()[1])

    def end(self) -> None:
        """Take no more connections, and answer what was asked."""
        self._server.should_exit = True

    def look(self, now: float) -> None:
        """Close what is overdue."""
        for one in list(self.connections):
            if why := one.overdue(now, self.limits):
                one.end(why)

    def let_in(self, one: _Connection) -> bool:
        """Whether there is room for a connection; it then has its place until it is gone."""
        why = ""
        if len(self.connections) >= self.limits.connections:
            why = "too many connections"
        elif self._addresses[one.address] >= self.limits.of_address:
            why = "too many connections of one address"
        if why:
            self.tell(one, why)
            return False
        self.connections.add(one)
        self._addresses[one.address] += 1
        return True

    def gone(self, one: _Connection) -> None:
        """A connection that was let in has ended."""
        self.connections.discard(one)
        self._addresses[one.address] -= 1
        if not self._addresses[one.address]:
            del self._addresses[one.address]

    def tell(self, one: _Connection, why: str) -> None:
        """A connection is closed by us."""
        self._closed(why)
        log.debug("a connection from %s was closed: %s", one.address or "nowhere", why)

    def _begun(self, address: str) -> _Connection | None:
        one = _Connection(self, self._inner(), address)
        return one if self.let_in(one) else None

    def _shaken(self, one: _Connection, late: bool) -> None:
        if one._transport is None:
            self.gone(one)
            if late:
                self.tell(one, LATE)

    def _inner(self) -> Any:
        config: Any = self._server.config
        return config.http_protocol_class(config=config, server_state=self._server.server_state, app_state={})

    async def _run(self, listening: asyncio.Server | Handshakes[_Connection]) -> None:
        sweeper = asyncio.get_running_loop().create_task(self._sweep())
        try:
            await self._server.serve_on(listening)
        finally:
            sweeper.cancel()
            listening.close()
            if isinstance(listening, Handshakes):
                await listening.wait_closed()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self.limits.head_s, self.limits.stuck_s) / 4)
            self.look(monotonic())


class _Server(uvicorn.Server):
    """uvicorn, which leaves listening and signals to us: a stop must first let the machines finish."""

    async def serve_on(self, listening: asyncio.Server | Handshakes[_Connection]) -> None:
        """Serve until `should_exit`, then close, and answer what was asked."""
        self._listening = listening
        await self.serve(sockets=[])

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self.servers = [cast(Any, self._listening)]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(asyncio.Protocol):
    """One connection, before uvicorn's own protocol (`inner`)."""

    def __init__(self, web: Web, inner: Any, address: str = "") -> None:
        self._web, self._inner, self.address = web, inner, address
        self._transport: asyncio.Transport | None = None
        self._cycle: Any = None
        self._since = monotonic()
        self._stuck_since: float | None = None
        self._head = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._since = monotonic()
        if self not in self._web.connections:  # with TLS it has its place from accept on
            peer = transport.get_extra_info("peername")
            self.address = str(peer[0]) if peer else ""
            if not self._web.let_in(self):
                cast(asyncio.Transport, transport).abort()
                return
        self._transport = cast(asyncio.Transport, transport)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._inner.data_received(data)
        # Within a head, what is to be its headers is not the last request's. h11 keeps to the same limit by itself.
        cycle = self._inner.cycle
        self._head = self._head + len(data) if cycle is None or self._inner.headers is not cycle.scope["headers"] else 0
        if self._head > LARGEST_HEAD:
            self.end("a head without end")

    def eof_received(self) -> bool | None:
        return cast("bool | None", self._inner.eof_received()) if self._transport is not None else None

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._web.gone(self)
            self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        self._stuck_since = monotonic()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stuck_since = None
        self._inner.resume_writing()

    def overdue(self, now: float, limits: Limits) -> str:
        """Why this connection is to be ended now, or ''."""
        if self._stuck_since is not None and now - self._stuck_since > limits.stuck_s:
            return "it does not read"
        cycle = self._inner.cycle
        if cycle is not self._cycle or not (cycle is None or cycle.response_complete):
            self._cycle, self._since = cycle, now  # it is being answered, or was since we looked last
        return "no request" if now - self._since > limits.head_s else ""

    def end(self, why: str) -> None:
        """Close, and say why. What was answered is out: nothing is waited for any more."""
        if self._transport is not None and not self._transport.is_closing():
            self._web.tell(self, why)
            self._transport.abort()
