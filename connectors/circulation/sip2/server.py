"""SIP2 over TCP and TLS: many connections, each answered in its own order, none able to hold up the others."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import cast

from connectors.circulation.handshakes import BACKLOG, LATE, Handshakes
from connectors.circulation.sip2.framing import Lines, TooLong
from connectors.circulation.sip2.session import House, Over, Session

log = logging.getLogger("bindery.circulation")

QUEUED = 64
"""Lines of a connection that wait for their turn; then it is read from no further."""
ENDING_S = 1.0
"""Until a connection that was closed has gone; one that reads nothing more is left behind."""
WRITE_LIMIT = 64 * 1024
"""Bytes that wait for a machine to read them; one that does not read is closed."""

KERNEL_BUFFER = 64 * 1024
"""Bytes of answers that the kernel keeps for each connection."""

ALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 4, socket.TCP_USER_TIMEOUT: 120_000}
"""A machine that lost its power has gone two minutes later, and its connection is none of those that its terminal may have."""


@dataclass(frozen=True)
class Limits:
    """`idle_s`: a machine that says nothing for so long has gone (half-open TCP). `login_s`: until it must have logged in."""

    idle_s: float = 1800.0
    login_s: float = 30.0
    stuck_s: float = 30.0
    handshake_s: float = 10.0
    connections: int = 10_000
    drain_s: float = 10.0


class Server:
    """Listens until it is closed."""

    def __init__(self, house: House, limits: Limits | None = None) -> None:
        self._house, self.limits = house, limits or Limits()
        self.connections: set[Connection] = set()
        self._listening: list[asyncio.Server | Handshakes[Connection]] = []
        self._sweeper: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen on a port (0: any free one); returns which."""
        loop = asyncio.get_running_loop()
        self._sweeper = self._sweeper or loop.create_task(self._sweep())
        if tls is not None:
            shaking = Handshakes(tls, self.limits.handshake_s, self._begun, self._shaken)
            self._listening.append(shaking)
            return await shaking.listen(host, port)
        found = await loop.create_server(
            lambda: cast(asyncio.Protocol, Connection(self, self._house)), host, port, backlog=BACKLOG, reuse_address=True
        )
        self._listening.append(found)
        return int(found.sockets[0].getsockname()[1])

    def let_in(self, one: Connection) -> bool:
        """Whether there is room for a connection; it then has its place until it is gone."""
        if len(self.connections) >= self.limits.connections:
            self._house.metrics.closed.labels("too many connections").inc()
            return False
        self.connections.add(one)
        self._house.metrics.connections.inc()
        return True

    def gone(self, one: Connection) -> None:
        """A connection has ended, whether it was let in or not."""
        if one in self.connections:
            self.connections.discard(one)
            self._house.metrics.connections.dec()

    async def close(self) -> None:
        """Take no more connections, finish what was asked, and end."""
        for listening in self._listening:
            listening.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        until = monotonic() + self.limits.drain_s
        while any(one.busy for one in self.connections) and monotonic() < until:
            await asyncio.sleep(0.01)
        ended = list(self.connections)
        for one in ended:
            one.end("the server stops")
        for listening in self._listening:
            if isinstance(listening, Handshakes):
                await listening.wait_closed()
        if tasks := [one._task for one in ended if one._task is not None]:
            await asyncio.wait(tasks, timeout=ENDING_S)

    def _begun(self, _: str) -> Connection | None:
        one = Connection(self, self._house)
        return one if self.let_in(one) else None

    def _shaken(self, one: Connection, late: bool) -> None:
        if one._transport is None:
            self.gone(one)
            if late:
                self._house.metrics.closed.labels(LATE).inc()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(5.0, self.limits.login_s / 4, self.limits.idle_s / 4, self.limits.stuck_s / 4))
            now = monotonic()
            for one in list(self.connections):
                if why := one.overdue(now, self.limits):
                    one.end(why)


class Connection:
    """One machine's connection: asyncio.Protocol in all but name, for a class of Python's cannot be the base of one that is compiled whole."""

    def __init__(self, server: Server, house: House) -> None:
        self._server, self._house, self._lines = server, house, Lines()
        self._queue: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self._next: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._heard = self._made = monotonic()
        self._stuck_since: float | None = None
        self._paused = self._lost = False

    @property
    def busy(self) -> bool:
        """Whether something was asked and is not yet answered."""
        return self._task is not None and self._next is None and not self._task.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if self not in self._server.connections and not self._server.let_in(self):  # with TLS it has its place from accept on
            self._transport.abort()
            return
        watched(self._transport)
        self._session = Session(self._house, peer[0] if peer else "", _common_name(transport.get_extra_info("peercert")))

    def data_received(self, data: bytes) -> None:
        self._heard = monotonic()
        try:
            self._queue.extend(self._lines.feed(data))
        except TooLong:
            self.end("a line without end")
            return
        if len(self._queue) > QUEUED and self._transport and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        if not self._queue:
            return
        if self._task is None:  # one for the whole conversation: to make one for each line costs more than to wake it
            self._task = asyncio.get_running_loop().create_task(self._work())
        elif self._next is not None:
            self._wake()

    def eof_received(self) -> None:
        """The machine says nothing more: the connection is closed."""

    def connection_lost(self, error: Exception | None) -> None:
        self._server.gone(self)
        if self._session is not None:
            self._session.leave()
        self._queue.clear()
        self._lost = True
        if self._next is not None:
            self._wake()

    def pause_writing(self) -> None:
        self._stuck_since = monotonic()

    def resume_writing(self) -> None:
        self._stuck_since = None

    def overdue(self, now: float, limits: Limits) -> str:
        """Why this connection is to be ended now, or ''."""
        if self._stuck_since is not None and now - self._stuck_since > limits.stuck_s:
            return "it does not read"
        if self._session is not None and not self._session.login and now - self._made > limits.login_s and not self.busy:
            return "no login"
        return "idle" if now - self._heard > limits.idle_s and not self.busy else ""

    def end(self, why: str) -> None:
        """Close, and say why."""
        if self._transport is not None and not self._transport.is_closing():
            self._house.metrics.closed.labels(why).inc()
            log.info("connection of %s closed: %s", (self._session and self._session.login) or "nobody", why)
            if why == "it does not read":
                self._transport.abort()
            else:
                self._transport.close()

    async def _work(self) -> None:
        """Answer what comes, line by line, in order. What was not begun when a machine goes away is not done: it was never answered."""
        assert self._session is not None and self._transport is not None
        loop = asyncio.get_running_loop()
        while True:
            if not self._queue:
                if self._lost:
                    return
                self._next = loop.create_future()
                await self._next
                continue
            raw = self._queue.popleft()
            try:
                self._transport.write(await self._session.answer(raw))
            except Over as over:
                self._transport.write(over.last)
                self._queue.clear()
                self.end(str(over))
                return
            except Exception:
                log.exception("a message of %s could not be answered", self._session.login or "nobody")
                self._queue.clear()
                self.end("an error of ours")
                return
            if self._stuck_since is not None:  # one that does not read is not answered further, so that its answers do not pile up
                await self._until_read()
            if self._paused and len(self._queue) < QUEUED // 2 and not self._transport.is_closing():
                self._paused = False
                self._transport.resume_reading()
            if self._queue:
                await asyncio.sleep(0)  # the others' turn: who sends a thousand lines at once is not answered before everybody else

    def _wake(self) -> None:
        assert self._next is not None
        if not self._next.done():  # as it is when the process ends
            self._next.set_result(None)
        self._next = None

    async def _until_read(self) -> None:
        assert self._transport is not None
        while self._stuck_since is not None and not self._transport.is_closing():
            await asyncio.sleep(0.05)
        if self._transport.is_closing():
            self._queue.clear()


def watched(transport: asyncio.WriteTransport) -> None:
    """Who lost their power has gone minutes later, and who does not read gets no megabytes: of our memory, or of the kernel's."""
    transport.set_write_buffer_limits(WRITE_LIMIT)
    wire: socket.socket | None = transport.get_extra_info("socket")
    if wire is not None:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ALIVE.items():
            wire.setsockopt(socket.IPPROTO_TCP, option, value)


def _common_name(certificate: object) -> str | None:
    """The common name of a client's certificate that the TLS layer has verified."""
    if not isinstance(certificate, dict):
        return None
    return next((value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"), None)
