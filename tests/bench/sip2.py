"""SIP2 beside pysip2, the same load for both: python -m tests.bench.sip2 [--seconds 8] [--connections 1 50 500] [--idle 5000]

Each server (sip2_servers.py) runs as a process on one core, the load (sip2_load.py) on the other where there are two.

Bindery's server is the sidecar as it is started in production: embedded store, sealed journal, fdatasync before each answer. "no journal" is the
same server with a journal that says "durable" at once and keeps nothing, "nothing kept" one that does not write its store's file either: what no
library may run, for the comparison with a server that keeps nothing. All three are compiled, as in the image (connectors/circulation/compiled.py);
"as written" is the sidecar without that. pysip2's server runs on uvloop, as ours does, and on asyncio alone, as its own documentation starts it.
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
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop

from connectors.circulation import compiled
from connectors.circulation.sip2.codec import parse, write
from tests.bench.row import row
from tests.bench.sip2_load import Load, Machine

RATE = 10_000
LINES = (
    "2300120261122    120000AOdemo|AA1000001|AC|AD|",
    "11YN20261122    12000020261122    120000AOdemo|AA1000001|AB3000001|AC|BON|BIN|",
    "09N20261122    12000020261122    120000APmain|AOdemo|AB3000001|AC|BIN|",
    "6300120261122    120000  Y       AOdemo|AA1000001|AC|AD1234|BP0001|BQ0010|",
)


OURS = [sys.executable, "-m", "connectors.circulation", "serve", "--demo", "--sip2-port", "0", "--http-port", "0"]
UNKEPT = [sys.executable, "-m", "tests.bench.sip2_servers", "no-journal"]
NOTHING_KEPT = [sys.executable, "-m", "tests.bench.sip2_servers", "nothing-kept"]
PEER = [sys.executable, "-m", "tests.bench.sip2_servers", "pysip2"]
PLAIN_PEER = [sys.executable, "-m", "tests.bench.sip2_servers", "pysip2-asyncio"]


@dataclass(frozen=True)
class Measured:
    """`figures` of the load; the server's processor microseconds a message."""

    figures: dict[str, float]
    each: float


def measured(command: list[str], connections: int, seconds: float, rate: float = 0, *, as_written: bool = False) -> Measured:
    """The load on a server that is started for it; `rate`: messages a second of all connections together."""
    environment = os.environ | ({compiled.SETTING: "off"} if as_written else {})
    cores = sorted(os.sched_getaffinity(0))
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {cores[0]}),
    ) as server:  # with all its threads
        try:
            assert server.stdout is not None
            port = json.loads(server.stdout.readline())["sip2"]
            sender = [sys.executable, "-m", "tests.bench.sip2_load", str(port)]
            sender += ["--connections", str(connections), "--seconds", str(seconds), "--rate", str(rate)]
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
    asked = parser.parse_args()
    ours, theirs = codec()
    print(f"codec: {ours:,.0f} messages parsed and written a second; pysip2 {theirs:,.0f}; {ours / theirs:.1f}x")
    row("sip2", "codec, parse and write", ours, "/s", "200,000")
    row("sip2", "codec beside pysip2", ours / theirs, "x")
    compiled.build()
    goals = {50: "10", 500: "50"}
    for connections in asked.connections:
        servers = {"Bindery": OURS, "no journal": UNKEPT, "nothing kept": NOTHING_KEPT, "pysip2": PEER, "pysip2 on asyncio": PLAIN_PEER}
        found = {name: measured(command, connections, asked.seconds) for name, command in servers.items()}
        found["as written"] = measured(OURS, connections, asked.seconds, as_written=True)
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
        row("sip2", f"{connections} connections, processor a message, as written to compiled", found["as written"].each / mine.each, "x")
        for name, peer in (("pysip2", "pysip2"), ("pysip2 on asyncio", "pysip2's server on asyncio")):
            for kept in ("no journal", "nothing kept"):
                ratio = found[kept].figures["a second"] / found[name].figures["a second"]
                row("sip2", f"{connections} connections, {kept}, beside {peer}", ratio, "x", "2")
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
