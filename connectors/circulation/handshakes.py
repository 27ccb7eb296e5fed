"""A port with TLS whose connections count from accept on, and not only once their handshake is through.

asyncio tells a protocol of its connection when the handshake has ended well, and nothing at all when it has not: whoever connects and then says
nothing would be outside every limit. So a connection is accepted here, has its place or is closed at once, and only then shakes hands.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

log = logging.getLogger("bindery.circulation")

BACKLOG = 1024
AT_ONCE = 64
"""Connections that are accepted before the others' turn."""
RETRY_SECONDS = 1.0
"""Until connections are accepted again after the process could open no more files; asyncio waits as long."""
LATE = "no TLS handshake"
Made = TypeVar("Made")


class Handshakes(Generic[Made]):
    """Listens until it is closed. `begun` is told the address of each connection and makes its protocol, or None where there is no room for it.

    `over` is told of each of these protocols that its handshake has ended, and whether it took longer than `seconds`. It has ended well where the
    protocol's connection_made was called; where it was not, nothing else of the protocol's will be.
    """

    def __init__(
        self, tls: ssl.SSLContext, seconds: float, begun: Callable[[str], Made | None], over: Callable[[Made, bool], None]
    ) -> None:
        self._tls, self._seconds, self._begun, self._over = tls, seconds, begun, over
        self._sockets: list[socket.socket] = []
        self._shaking: dict[asyncio.Task[Any], socket.socket] = {}

    async def listen(self, host: str, port: int) -> int:
        """Listen on a port (0: any free one) of each address that `host` has; returns the first's."""
        self._loop = asyncio.get_running_loop()
        self._sockets = await _bound(self._loop, host, port)
        for one in self._sockets:
            one.setblocking(False)
            self._loop.add_reader(one, self._accept, one)
        return int(self._sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more connections, and end the handshakes under way."""
        for one in self._sockets:
            self._loop.remove_reader(one)
            one.close()
        self._sockets = []
        for wire in self._shaking.values():
            with suppress(OSError):  # it has gone by itself
                wire.shutdown(socket.SHUT_RDWR)

    async def wait_closed(self) -> None:
        """Until every handshake that was under way has ended."""
        await asyncio.gather(*self._shaking, return_exceptions=True)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                wire, address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no connection can be accepted now: %s", error.strerror)
                self._loop.remove_reader(listening)
                self._loop.call_later(RETRY_SECONDS, self._again, listening)
                return
            made = self._begun(str(address[0]))
            if made is None:
                wire.close()
            else:
                self._shake(made, wire)

    def _again(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _shake(self, made: Made, wire: socket.socket) -> None:
        protocol: Any = made  # what is compiled cannot be asyncio's own class
        with suppress(OSError):  # it has gone by itself
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does so only for sockets that it made
        shaking = self._loop.create_task(
            self._loop.connect_accepted_socket(lambda: protocol, wire, ssl=self._tls, ssl_handshake_timeout=self._seconds)
        )
        self._shaking[shaking] = wire
        shaking.add_done_callback(partial(self._shaken, made))  # which is called also where the task never began

    def _shaken(self, made: Made, shaking: asyncio.Task[Any]) -> None:
        wire = self._shaking.pop(shaking)
        error = asyncio.CancelledError() if shaking.cancelled() else shaking.exception()
        self._over(made, isinstance(error, ConnectionAbortedError))
        if error is not None:
            wire.close()


async def _bound(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[socket.socket]:
    """A socket that listens for each address of the host; one that this machine has not is left out where there are others."""
    found: list[socket.socket] = []
    lacking: OSError | None = None
    try:
        for family, _, _, _, address in dict.fromkeys(
            await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        ):
            try:
                found.append(socket.create_server(address, family=family, backlog=BACKLOG))
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
                lacking = error
        if lacking is not None and not found:
            raise lacking
    except OSError:
        for one in found:
            one.close()
        raise
    return found
