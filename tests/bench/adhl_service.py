"""Latency of ADHL's lookups: python -m tests.bench.adhl_service [--titles 1000000] [--rate 1000] [--seconds 20]

A release of so many titles with 50 relations each is written once, in .bench/adhl. The service runs as it does in production; the load comes
from a process of its own over loopback, at moments fixed beforehand: a request that has to wait is timed from when it was due. Two thirds
are REST, one third SOAP; every second one is for a pid that exists, drawn evenly over all titles.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import uvloop

from connectors.adhl.relations.edges import least_of
from connectors.adhl.relations.manifest import Manifest
from connectors.adhl.relations.released import Released
from connectors.adhl.relations.settings import Settings
from connectors.adhl.relations.tables import SHAPE
from connectors.adhl.relations.write import write
from include.engine.snapshots import appear, files_in
from tests.bench.row import row

FOLDER = Path(".bench/adhl")
CONNECTIONS = 64
FIRST = 20_000_000
EACH = 25  # relations that a title has with later ones; as many again with earlier ones


def make(titles: int) -> Path:
    """A release of `titles` titles, as a release leaves it."""
    root = FOLDER / f"served-{titles}"
    if (root / "latest.json").exists():
        return root
    draw = np.random.default_rng(1)
    name = "bench"
    place = root / f".{name}"
    place.mkdir(parents=True)
    first = np.repeat(np.arange(titles, dtype=np.int64), EACH)
    keys = np.unique((first << 32) | draw.integers(first + 1, titles + EACH, dtype=np.int64))
    keys = keys[(keys & 0xFFFFFFFF) < titles]
    numbers = [str(FIRST + number) for number in range(titles)]
    texts = {
        "pid": [f"870970-basis:{one}" for one in numbers],
        "title": [f"Title number {one}" for one in numbers],
        "creator": ["Author"] * titles,
    }
    relation = draw.integers(1, 20, len(keys)).astype(np.uint8)
    released = Released(pa.table(texts), (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), relation)
    write(released, place, least_of(Settings()), Settings().related)
    rows = {"title": titles, "relation": len(keys)}
    least = [int(one) for one in least_of(Settings())[:30]]
    appear(
        root,
        place,
        Manifest(name, f"snapshots/{name}", "2026-11-22T00:00:00+00:00", "-", SHAPE, "1", 5, 5, least, {}, rows, {}, files_in(place)),
    )
    return root


@dataclass
class Load:
    """What was sent: milliseconds from when a request was due until its last byte, and answers that were not as they must be."""

    host: str
    port: int
    titles: int
    times: list[float] = field(default_factory=list)
    wrong: int = 0

    def request(self, draw: random.Random) -> bytes:
        known = draw.random() < 0.5
        pid = f"870970-basis:{FIRST + draw.randrange(self.titles) + (0 if known else self.titles)}"
        if draw.random() < 2 / 3:
            return f"GET /?ADHLRequest&pid={pid}&numRecords=20 HTTP/1.1\r\nhost: bench\r\n\r\n".encode()
        body = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><pingRequest xmlns="http://oss.dbc.dk/ns/adhl">'
            f"<id><pid>{pid}</pid></id></pingRequest></s:Body></s:Envelope>"
        )
        return f"POST / HTTP/1.1\r\nhost: bench\r\ncontent-type: text/xml\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()

    async def work(self, due: asyncio.Queue[tuple[float, bytes]]) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        while True:
            moment, request = await due.get()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            self.times.append((time.perf_counter() - moment) * 1000)
            self.wrong += not head.startswith(b"HTTP/1.1 200") or b"Response" not in body

    async def run(self, rate: int, seconds: float) -> None:
        draw, due = random.Random(7), asyncio.Queue[tuple[float, bytes]]()
        requests = [self.request(draw) for _ in range(int(rate * seconds))]
        workers = [asyncio.create_task(self.work(due)) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0.5)
        start = time.perf_counter()
        for number, request in enumerate(requests):
            moment = start + number / rate
            if (wait := moment - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            due.put_nowait((moment, request))
        while len(self.times) < len(requests) and time.perf_counter() < start + seconds + 30:
            await asyncio.sleep(0.05)
        for worker in workers:
            worker.cancel()
        self.wrong += len(requests) - len(self.times)


def load(url: str, titles: int, rate: int, seconds: float) -> dict[str, float]:
    """Send the load; figures in milliseconds."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    sent = Load(host, int(port), titles)
    uvloop.run(sent.run(rate, seconds))
    times = np.sort(np.array(sent.times))
    at = {f"p{share:g} ms": float(times[int(len(times) * share / 100)]) for share in (50, 90, 99, 99.9)}
    return {**at, "longest ms": float(times[-1]), "requests": len(times), "wrong": sent.wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--titles", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=1000, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.load:
        print(json.dumps(load(asked.load, asked.titles, asked.rate, asked.seconds)))
        return
    root = make(asked.titles)
    command = [sys.executable, "-m", "connectors.adhl", "serve", "--port", "0", "--relations", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as service:
        assert service.stdout is not None
        url = service.stdout.readline().rpartition(" ")[2].strip()
        while httpx.get(f"{url}health").status_code != 200:
            time.sleep(0.1)
        sender = [sys.executable, "-m", "tests.bench.adhl_service", *sys.argv[1:], "--load", url]
        done = subprocess.run(sender, check=True, stdout=subprocess.PIPE, text=True)
        service.terminate()
    figures = json.loads(done.stdout.splitlines()[-1])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures["processor seconds of both"] = used.ru_utime + used.ru_stime
    for name, value in figures.items():
        print(f"{name:>28} {round(value, 2):>12,}")
    assert not figures["wrong"], "answers were missing, or not as they must be"
    what = f"{asked.titles / 1e6:g}M titles, {asked.rate:,} requests/s"
    for name in ("p50 ms", "p99 ms"):
        row("lookups", f"{what}: {name.removesuffix(' ms')}", figures[name], "ms", "5" if name == "p99 ms" else "")


if __name__ == "__main__":
    main()
