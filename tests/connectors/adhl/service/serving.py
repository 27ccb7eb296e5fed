"""The service as it runs: a process of its own on a free port."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from connectors.adhl.relations.release import release
from connectors.adhl.relations.settings import Settings
from include.engine.crypto.keys import KeyStore
from include.engine.engine import ROOT
from tests.connectors.adhl.relations.small_lake import house, readers, title

OPEN = Settings(spread=1, memory="256MB", threads=1)
LOANS = [
    *readers(30, "100", "200"),
    *readers(12, "100", "300", first=100),
    *readers(6, "100", "400", first=200),
    *readers(4, "400", "500", first=300),
    *readers(20, "200", "600", first=400),
]
"""100 with 200 (30), with 300 (12) and with 400 (6); 200 with 600 (20). 500 has four readers."""
TITLES = [title(number) for number in ("100", "200", "400", "500", "600")] + [
    title("300", title="Brød & smør <3 \u0007", responsibility="Ærø \"ø\" 'å'")
]


def made(home: Path, loans: list[dict[str, object]] | None = None, version: int = 1, keys: KeyStore | None = None) -> Path:
    """A release; returns the folder of the releases."""
    report = release(house(home, LOANS if loans is None else loans, settings=OPEN, bibliographic=TITLES, version=version, keys=keys))
    assert report.made
    return home / "adhl_relations"


@dataclass
class Served:
    url: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, query: str) -> httpx.Response:
        return httpx.get(f"{self.url}?{query}", timeout=30)

    def post(self, body: bytes | str, kind: str = "text/xml; charset=utf-8") -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        return httpx.post(self.url, content=content, headers={"content-type": kind}, timeout=30)

    def wait_for(self, wanted: str, seconds: float = 60) -> None:
        """Until /health tells of release `wanted`."""
        until = time.monotonic() + seconds
        while httpx.get(f"{self.url}health").json()["release"] != wanted:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)


@contextmanager
def served(relations: Path, log: Path) -> Iterator[Served]:
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "connectors.adhl", "serve", "--port", "0", "--relations", str(relations)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=out, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Served(line.rpartition(" ")[2].strip(), process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()
