"""The load of the SIP2 bench: python -m tests.bench.sip2_load PORT --connections 50 --seconds 8 [--rate 10000]

A connection logs in once; then it asks 23, 11 and 09 in turn (who is it, lend, take back), each when the one before is answered, and each loan
is of the next of the connection's items. At a given rate the connections ask by the clock instead, one after the other; who is answered later
than it should have asked again counts from then. The first line of output says that all are logged in, the second has the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import uvloop

CARDS, ITEMS = 100, 10_000


@dataclass
class Load:
    """What was answered: milliseconds of each message, and how many loans and returns were ok."""

    port: int
    every: float = 0.0  # seconds between a connection's messages; 0: each when the one before is answered
    until: float = 0.0
    each: int = 1
    times: list[float] = field(default_factory=list)
    ok: int = 0
    refused: int = 0

    async def run(self, connections: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        machines = []
        for number in range(connections):
            _, machine = await loop.create_connection(lambda number=number: Machine(self, number), "127.0.0.1", self.port)  # type: ignore[misc]
            machines.append(machine)
        await asyncio.gather(*(machine.logged_in for machine in machines))
        print("logged in", flush=True)
        self.each = max(ITEMS // connections, 1)
        self.until = time.perf_counter() + seconds
        now = time.perf_counter()
        for number, machine in enumerate(machines):
            machine.begin(now + self.every * number / connections)
        await asyncio.gather(*(machine.done for machine in machines))


class Machine(asyncio.Protocol):
    """One connection. Its dates go on by a second with each message: a machine that says the very same again is a machine that repeats itself."""

    def __init__(self, load: Load, number: int) -> None:
        self._load, self._number, self._turn, self._rest = load, number, 0, b""
        loop = asyncio.get_running_loop()
        self.logged_in: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"9300CNselfcheck1|COsecret|\r")

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not data.endswith(b"\r"):
            self._rest = data
            return
        self._rest = b""
        if not self.logged_in.done():
            if data.startswith(b"941"):
                self.logged_in.set_result(None)
            else:
                self.logged_in.set_exception(PermissionError(f"the login was answered {data!r}"))
            return
        now = time.perf_counter()
        self._load.times.append((now - self._asked) * 1000)
        if data[:2] in (b"12", b"10"):
            if data[2:3] == b"1":
                self._load.ok += 1
            else:
                self._load.refused += 1
        if now > self._load.until:
            self._transport.close()
            self.done.set_result(None)
        elif not self._load.every:
            self.ask()
        else:
            self.begin(self._due + self._load.every)

    def begin(self, due: float) -> None:
        """Ask when it is `due`, or at once where that has passed: the time of the answer counts from then."""
        self._due = due
        wait = due - time.perf_counter()
        if wait > 0 and self._load.every:
            asyncio.get_running_loop().call_later(wait, self.ask)
        else:
            self.ask()
            if self._load.every:
                self._asked = due

    def ask(self) -> None:
        turn, kind = divmod(self._turn, 3)
        self._turn += 1
        at = f"{20261122 + turn // 86400}    {turn // 3600 % 24:02d}{turn // 60 % 60:02d}{turn % 60:02d}"
        card, item = 1000001 + self._number % CARDS, 3000001 + self._number * self._load.each + turn % self._load.each
        if kind == 0:
            line = f"23001{at}AOdemo|AA{card}|AC|AD|\r"
        elif kind == 1:
            line = f"11YN{at}{at}AOdemo|AA{card}|AB{item}|AC|\r"
        else:
            line = f"09N{at}{at}APmain|AOdemo|AB{item}|AC|\r"
        self._asked = time.perf_counter()
        self._transport.write(line.encode())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed the connection"))


def send(port: int, connections: int, seconds: float, rate: float = 0) -> dict[str, float]:
    load = Load(port, connections / rate if rate else 0.0)
    uvloop.run(asyncio.wait_for(load.run(connections, seconds), seconds + 60))
    times = np.sort(np.array(load.times))
    at = {f"p{share}": float(times[int(len(times) * share / 100)]) for share in (50, 99)}
    return {"messages": len(times), "a second": len(times) / seconds, **at, "ok": load.ok, "refused": load.refused}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rate", type=float, default=0)
    asked = parser.parse_args()
    print(json.dumps(send(asked.port, asked.connections, asked.seconds, asked.rate)))


if __name__ == "__main__":
    main()
