"""SIP2 beside pysip2, the same load for both: python -m tests.bench.sip2 [--seconds 8] [--connections 1 50 500] [--idle 5000]

Each server runs as a process on one core, the load on the other where there are two. A connection logs in once; then it asks 23, 11 and 09
in turn (who is it, lend, take back), each when the one before is answered, and each loan is of the next of the connection's items. At a given
rate the connections ask by the clock instead, one after the other; who is answered later than it should have asked again counts from then.

Bindery's server is the sidecar as it is started in production: embedded store, sealed journal, fdatasync before each answer. "no journal" is the
same server with a journal that says "durable" at once and keeps nothing: what no library may run, for the comparison with a server that keeps
nothing either. pysip2's answers from two dictionaries; on uvloop, as ours runs, and on asyncio alone, as its own documentation starts it.
Seconds are of the wall; a message's microseconds are the server's processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np
import uvloop

from connectors.circulation.sip2.codec import parse, write
from tests.bench.row import row

CARDS, ITEMS = 100, 10_000
RATE = 10_000
LINES = (
    "2300120261122    120000AOdemo|AA1000001|AC|AD|",
    "11YN20261122    12000020261122    120000AOdemo|AA1000001|AB3000001|AC|BON|BIN|",
    "09N20261122    12000020261122    120000APmain|AOdemo|AB3000001|AC|BIN|",
    "6300120261122    120000  Y       AOdemo|AA1000001|AC|AD1234|BP0001|BQ0010|",
)


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


def _send(port: int, connections: int, seconds: float, rate: float = 0) -> dict[str, float]:
    load = Load(port, connections / rate if rate else 0.0)
    uvloop.run(asyncio.wait_for(load.run(connections, seconds), seconds + 60))
    times = np.sort(np.array(load.times))
    at = {f"p{share}": float(times[int(len(times) * share / 100)]) for share in (50, 99)}
    return {"messages": len(times), "a second": len(times) / seconds, **at, "ok": load.ok, "refused": load.refused}


class Unkept:
    """A journal that keeps nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        self.newest = self.durable = 0

    def append(self, data: object) -> asyncio.Future[int]:
        self.newest = self.durable = self.newest + 1
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(self.newest)
        return done

    async def settled(self) -> None:
        return

    def flush(self) -> None:
        return

    close = flush


def no_journal() -> None:
    """The sidecar without its journal."""
    from connectors.circulation.demo import made
    from connectors.circulation.embedded import backend
    from connectors.circulation.serving import Ports, serve

    folder, keys, gone = made()
    backend.Journal = Unkept  # type: ignore[attr-defined, assignment]
    try:
        uvloop.run(serve(folder, keys, Ports(sip2=0, http=0)))
    finally:
        gone()


def pysip2_server(*, fast: bool) -> None:
    """A server of pysip2's that keeps nothing: patrons and items in two dictionaries. `fast`: on uvloop."""
    import anyio
    import pysip2

    app = pysip2.SIP2Server(institution_id="demo", encoding="utf-8")
    loans: dict[str, str] = {}

    @app.route(pysip2.LOGIN)
    async def login(request: pysip2.LoginRequest, context: object) -> pysip2.LoginResponse:
        return pysip2.LoginResponse(ok="1")

    @app.route(pysip2.PATRON_STATUS)
    async def status(request: pysip2.PatronStatusRequest, context: object) -> pysip2.PatronStatusResponse:
        return pysip2.PatronStatusResponse(
            patron_status=" " * 14, language="001", transaction_date=_stamp(), institution_id="demo",
            patron_identifier=request.patron_identifier, personal_name="Reader", valid_patron="Y",
        )  # fmt: skip

    @app.route(pysip2.CHECKOUT)
    async def checkout(request: pysip2.CheckoutRequest, context: object) -> pysip2.CheckoutResponse:
        free = request.item_identifier not in loans
        loans[request.item_identifier] = request.patron_identifier
        return pysip2.CheckoutResponse(
            ok="1" if free else "0", renewal_ok="N", magnetic_media="N", desensitize="Y", transaction_date=_stamp(),
            institution_id="demo", patron_identifier=request.patron_identifier, item_identifier=request.item_identifier,
            title_identifier="A title", due_date=_stamp(),
        )  # fmt: skip

    @app.route(pysip2.CHECKIN)
    async def checkin(request: pysip2.CheckinRequest, context: object) -> pysip2.CheckinResponse:
        lent = loans.pop(request.item_identifier, None)
        return pysip2.CheckinResponse(
            ok="1" if lent else "0", resensitize="Y", magnetic_media="N", alert="N", transaction_date=_stamp(),
            institution_id="demo", item_identifier=request.item_identifier, permanent_location="main",
        )  # fmt: skip

    async def serve() -> None:
        async with app.start() as port:
            print(json.dumps({"sip2": port}), flush=True)
            await anyio.sleep_forever()

    anyio.run(serve, backend_options={"use_uvloop": fast})


def _stamp() -> str:
    return time.strftime("%Y%m%d    %H%M%S")


OURS = [sys.executable, "-m", "connectors.circulation", "serve", "--demo", "--sip2-port", "0", "--http-port", "0"]
UNKEPT = [sys.executable, "-m", "tests.bench.sip2", "--no-journal"]
PEER = [sys.executable, "-m", "tests.bench.sip2", "--pysip2", "uvloop"]
PLAIN_PEER = [sys.executable, "-m", "tests.bench.sip2", "--pysip2", "asyncio"]


@dataclass(frozen=True)
class Measured:
    """`figures` of the load; the server's processor microseconds a message."""

    figures: dict[str, float]
    each: float


def measured(command: list[str], connections: int, seconds: float, rate: float = 0) -> Measured:
    """The load on a server that is started for it; `rate`: messages a second of all connections together."""
    cores = sorted(os.sched_getaffinity(0))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {cores[0]})
    ) as server:  # with all its threads
        try:
            assert server.stdout is not None
            port = json.loads(server.stdout.readline())["sip2"]
            sender = [
                sys.executable,
                "-m",
                "tests.bench.sip2",
                "--send",
                str(port),
                "--connections",
                str(connections),
                "--seconds",
                str(seconds),
                "--rate",
                str(rate),
            ]
            with subprocess.Popen(
                sender, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {cores[-1]})
            ) as sending:
                assert sending.stdout is not None
                sending.stdout.readline()  # all are logged in: hashing their passwords is no message's cost
                before = _processor(server.pid)
                figures = json.loads(sending.stdout.read())
                used = _processor(server.pid) - before
        finally:
            server.terminate()
    return Measured(figures, used / figures["messages"] * 1e6)


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def codec(seconds: float = 1.0) -> tuple[float, float]:
    """Messages parsed and written a second: ours, and pysip2's."""
    from pysip2 import decode_message, encode_message

    def ours() -> None:
        for line in LINES:
            found = parse(line)
            write(found.code, found.fixed, found.fields)

    raw = [line.encode() + b"\r" for line in LINES]

    def theirs() -> None:
        for line in raw:
            encode_message(decode_message(line, encoding="utf-8").message, encoding="utf-8")

    def rate(work: object) -> float:
        assert callable(work)
        rates = []
        for _ in range(5):
            count, begun = 0, time.process_time()
            while time.process_time() - begun < seconds / 5:
                for _ in range(50):
                    work()
                count += 50 * len(LINES)
            rates.append(count / (time.process_time() - begun))
        return median(rates)

    return rate(ours), rate(theirs)


def idle(connections: int) -> tuple[float, float]:
    """MiB of the server with so many logged-in connections that say nothing, and without any."""
    with subprocess.Popen(OURS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            port = json.loads(server.stdout.readline())["sip2"]
            before = _resident(server.pid)

            async def held() -> float:
                loop, load = asyncio.get_running_loop(), Load(port)
                machines = [(await loop.create_connection(lambda: Machine(load, 0), "127.0.0.1", port))[1] for _ in range(connections)]
                await asyncio.gather(*(machine.logged_in for machine in machines))
                await asyncio.sleep(1)
                return _resident(server.pid)

            return uvloop.run(held()), before
        finally:
            server.terminate()


def _resident(pid: int) -> float:
    return next(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 50, 500])
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second of the load that goes by the clock")
    parser.add_argument("--send", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--pysip2", choices=("uvloop", "asyncio"), help=argparse.SUPPRESS)
    parser.add_argument("--no-journal", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.pysip2:
        pysip2_server(fast=asked.pysip2 == "uvloop")
        return
    if asked.no_journal:
        no_journal()
        return
    if asked.send:
        print(json.dumps(_send(asked.send, asked.connections[0], asked.seconds, asked.rate)))
        return
    ours, theirs = codec()
    print(f"codec: {ours:,.0f} messages parsed and written a second; pysip2 {theirs:,.0f}; {ours / theirs:.1f}x")
    row("sip2", "codec, parse and write", ours, "/s", "200,000")
    row("sip2", "codec beside pysip2", ours / theirs, "x")
    goals = {50: "10", 500: "50"}
    for connections in asked.connections:
        servers = {"Bindery": OURS, "no journal": UNKEPT, "pysip2": PEER, "pysip2 on asyncio": PLAIN_PEER}
        found = {name: measured(command, connections, asked.seconds) for name, command in servers.items()}
        for name, one in found.items():
            said = one.figures
            print(f"{connections:>4} connections, {name:>17}: {said['a second']:>7,.0f}/s, p50 {said['p50']:6.2f} ms, p99 {said['p99']:6.2f} ms, "
                  f"{one.each:4.0f} us of processor a message, {said['ok']:,.0f} ok, {said['refused']:,.0f} refused")  # fmt: skip
        paced = measured(OURS, connections, asked.seconds, asked.rate).figures
        print(
            f"{connections:>4} connections at {asked.rate:,.0f}/s: {paced['a second']:,.0f}/s, p50 {paced['p50']:.2f} ms, p99 {paced['p99']:.2f} ms"
        )
        row("sip2", f"{connections} connections at {asked.rate:,.0f} messages/s, p99", paced["p99"], "ms", goals.get(connections, ""))
        mine = found["Bindery"]
        row("sip2", f"{connections} connections", mine.figures["a second"], "/s", "10,000")
        row("sip2", f"{connections} connections, p99", mine.figures["p99"], "ms", goals.get(connections, ""))
        row("sip2", f"{connections} connections, processor a message", mine.each, "us", "100")
        for name, peer in (("pysip2", "pysip2"), ("pysip2 on asyncio", "pysip2's server on asyncio")):
            ratio = found["no journal"].figures["a second"] / found[name].figures["a second"]
            row("sip2", f"{connections} connections, no journal, beside {peer}", ratio, "x", "2")
            row(
                "sip2",
                f"{connections} connections, processor: {peer}'s to ours without journal",
                found[name].each / found["no journal"].each,
                "x",
                "2",
            )
    if asked.idle:
        with_them, without = idle(asked.idle)
        print(f"{asked.idle:,} idle connections: {with_them:.0f} MiB, {without:.0f} MiB without any")
        row("sip2", f"{asked.idle:,} idle connections", with_them, "MiB", "300 MB")


if __name__ == "__main__":
    main()
