"""A SIP2 server on a real socket, in a thread of its own, over an embedded library."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from connectors.circulation.backend import Backend
from connectors.circulation.metrics import Metrics
from connectors.circulation.pins import hashed
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.bridge import Bridge
from connectors.circulation.sip2.server import Limits, Server
from connectors.circulation.sip2.session import House
from connectors.circulation.terminals import Terminal, Terminals

PASSWORD = hashed("secret")
NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS: dict[str, NewLoop] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
"""What the sidecar runs on: uvloop's where it is installed."""


class Running:
    """A server that runs; `port` is where, `house` what its conversations share."""

    def __init__(self, house: House, limits: Limits | None, tls: ssl.SSLContext | None, new_loop: NewLoop) -> None:
        self.house, self._limits, self._tls = house, limits, tls
        self._ready = threading.Event()
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.server = Server(self.house, self._limits)
        self.port = self.loop.run_until_complete(self.server.listen("127.0.0.1", 0, self._tls))
        self._ready.set()
        self.loop.run_forever()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(60)

    def call(self, coroutine: Any) -> Any:
        """Run something on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def stop(self) -> None:
        self.call(self.server.close())
        self.call(_ended())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _ended() -> None:
    """What still runs on a loop ends, as asyncio.run has it: a connection whose machine reads nothing more, say."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for one in left:
        one.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def terminals(**more: Terminal) -> Terminals:
    """Two kiosks of a Danish library, and more."""
    found = {"kiosk1": Terminal(password=PASSWORD, branch="main", location="hall"), "kiosk2": Terminal(password=PASSWORD, branch="north")}
    return Terminals(institution="lindeby", name="Lindeby", timezone="Europe/Copenhagen", language="en", terminals=found | more)


@contextmanager
def running(
    backend: Backend, *, known: Terminals | None = None, profile: Profile | None = None, limits: Limits | None = None,
    tls: ssl.SSLContext | None = None, now: Any = None, new_loop: NewLoop = asyncio.new_event_loop,
) -> Iterator[Running]:  # fmt: skip
    """Serve until the block ends; every terminal has the same `profile`."""
    known = known or terminals()
    house = House(backend, known, {login: profile or Profile() for login in known.terminals}, Metrics(), **({"now": now} if now else {}))
    server = Running(house, limits, tls, new_loop)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def bridging(url: str, **more: Any) -> Iterator[int]:
    """A bridge to `url` in a thread of its own, until the block ends; its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begun() -> tuple[Bridge, int]:
        made = Bridge(url, **more)
        return made, await made.listen("127.0.0.1", 0)

    made, port = asyncio.run_coroutine_threadsafe(begun(), loop).result(60)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(made.close(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


class Raw:
    """A machine that sends what it likes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 60)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, end: bytes = b"\r") -> bytes:
        """One answer without its end; b"" once the other side has closed."""
        found = b""
        while not found.endswith(end):
            byte = self.socket.recv(1)
            if not byte:
                return b""
            found += byte
        return found[: -len(end)]

    def ask(self, line: str) -> str:
        """One line, and its answer."""
        self.send(line.encode() + b"\r")
        return self.read().decode()

    def log_in(self, login: str = "kiosk1") -> None:
        assert self.ask(f"9300CN{login}|COsecret|") == "941"

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
