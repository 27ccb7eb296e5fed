"""The OAI-PMH provider under load on loopback: records a second of the server's processor time, its memory over a long list, a first page.

    python -m tests.bench.oai_provider [--records 1000000] [--keep]

The server is a process of its own; the client reads pages and does no more with them than find the token. The index is filled by the
provider's own writer with 2,000 made-up titles again and again; how fast titles are composed is measured apart, with 20,000 of them.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.oai_pmh.provider import index
from connectors.oai_pmh.provider.batches import Batch, write
from connectors.oai_pmh.provider.compose import COLUMNS, Composed, Rules, compose
from connectors.oai_pmh.provider.demo import demo_catalogue
from connectors.oai_pmh.provider.index import file_in
from connectors.oai_pmh.provider.update import update
from tests.bench.row import row

HOME = Path(".bench/oai").absolute()
CHUNK = 4000
TOKEN = re.compile(rb"<resumptionToken[^>]*>([^<]+)<")


def templates() -> list[Composed]:
    """2,000 titles, composed."""
    [library] = demo_catalogue(2000).libraries
    rules = Rules(library.partner, library.settings, ())
    return [compose(one, rules) for batch in library.rows("", COLUMNS) for one in batch.to_pylist()]


def fill(count: int) -> float:
    """An index of so many records; seconds of processor time that the writer took for one."""
    shutil.rmtree(HOME, ignore_errors=True)
    index.create(file_in(HOME))
    connection = index.connect(file_in(HOME))
    made, begun = templates(), time.process_time()
    for start in range(0, count, CHUNK):
        numbers = range(start, min(count, start + CHUNK))
        new = [(replace(made[n % len(made)], local=f"lindeby/DK-799001/{n:09d}"), 1, n, None) for n in numbers]
        write(connection, Batch(new=new))
    spent = time.process_time() - begun
    connection.execute("UPDATE record SET datestamp = datestamp - 3600")
    connection.execute("UPDATE batch SET datestamp = datestamp - 3600")
    connection.execute("INSERT INTO meta VALUES ('looked', '')")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return spent / count


def indexing(count: int) -> float:
    """Records a second of processor time, from lake rows to the index."""
    folder = HOME.with_name("oai_indexing")
    shutil.rmtree(folder, ignore_errors=True)
    index.create(file_in(folder))
    connection = index.connect(file_in(folder))
    catalogue = demo_catalogue(count)
    [library] = catalogue.libraries
    columns = [*COLUMNS, "_row_hash"]
    batches = list(library.rows("", columns))  # making the rows up is not what is measured
    ready = replace(catalogue, libraries=(replace(library, rows=lambda _, asked: iter([one.select(list(asked)) for one in batches])),))
    begun = time.process_time()
    update(connection, ready, ())
    spent = time.process_time() - begun
    connection.close()
    shutil.rmtree(folder)
    return count / spent


@contextmanager
def server(page: int) -> Iterator[tuple[int, int]]:
    """The provider as a process: its id and port."""
    environment = os.environ | {
        "BINDERY_OAI_INDEX": str(HOME), "BINDERY_OAI_KEY": "A" * 43 + "=", "BINDERY_OAI_ADMIN": "a@b.example", "BINDERY_OAI_DOMAIN": "b.example",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "connectors.oai_pmh.provider.serve",
        "serve",
        "--port",
        "0",
        "--no-index",
        "--rate",
        "0",
        "--page",
        str(page),
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2].partition("/")[0])
        try:
            get(http.client.HTTPConnection("127.0.0.1", port), "verb=Identify", gzip=False)
            yield process.pid, port
        finally:
            process.terminate()


def spent(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> float:
    """Most memory that a process ever held, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def get(connection: http.client.HTTPConnection, query: str, *, gzip: bool) -> bytes:
    """The body of an answer, unpacked; None of it is parsed."""
    connection.request("GET", f"/oai?{query}", headers={"accept-encoding": "gzip"} if gzip else {})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, answer.status
    return zlib.decompress(body, zlib.MAX_WBITS | 16) if answer.headers.get("content-encoding") == "gzip" else body


@dataclass(frozen=True)
class Harvest:
    """What a list took: records, the server's processor seconds, seconds by the clock, and its peak memory after a tenth and at the end (MiB)."""

    records: int
    processor: float
    clock: float
    early: float
    late: float


def harvest(pid: int, port: int, verb: str, prefix: str, *, gzip: bool, most: int) -> Harvest:
    """Follow a list for so many records."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    query, records, early = f"verb={verb}&metadataPrefix={prefix}", 0, 0.0
    before, begun = spent(pid), time.perf_counter()
    while query and records < most:
        body = get(connection, query, gzip=gzip)
        records += body.count(b"<identifier>")
        found = TOKEN.search(body[-1000:])
        query = f"verb={verb}&resumptionToken={found[1].decode()}" if found else ""
        early = early or (peak(pid) if records >= most / 10 else 0.0)
    return Harvest(records, spent(pid) - before, time.perf_counter() - begun, early, peak(pid))


def first_pages(port: int, query: str) -> list[float]:
    """Milliseconds of a first page, each over a new connection."""
    found = []
    for _ in range(9):
        begun = time.perf_counter()
        get(http.client.HTTPConnection("127.0.0.1", port), query, gzip=True)
        found.append((time.perf_counter() - begun) * 1000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.oai_provider")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--most", type=int, default=1_000_000, help="records that a long list is followed for")
    parser.add_argument("--page", type=int, default=500)
    parser.add_argument("--keep", action="store_true", help="use the index that is there")
    given = parser.parse_args()
    rate = indexing(20_000)
    print(f"index: {rate:,.0f} records/s of a core, from lake rows to index")
    row("oai_provider", "lake rows to index, 20,000 titles", rate, "records/s a core")
    if not given.keep:
        print(
            f"writer: {1 / fill(given.records):,.0f} records/s of a core; {file_in(HOME).stat().st_size / given.records:,.0f} bytes a record"
        )
    with server(given.page) as (pid, port):
        for query in ("verb=ListRecords&metadataPrefix=marcxml", "verb=ListRecords&metadataPrefix=oai_dc&set=material:book"):
            found = first_pages(port, query)
            print(f"first page of {given.records:,}: first {found[0]:.0f} ms, median {statistics.median(found):.0f} ms  {query}")
            row("oai_provider", f"first page of {given.records:,} records, median of 9", statistics.median(found), "ms", "100 ms at 10M")
        for verb, prefix, gzip, most in (
            ("ListRecords", "marcxml", True, min(given.records, given.most)), ("ListRecords", "marcxml", False, 200_000),
            ("ListRecords", "oai_dc", True, 200_000), ("ListIdentifiers", "oai_dc", True, 200_000),
        ):  # fmt: skip
            done = harvest(pid, port, verb, prefix, gzip=gzip, most=most)
            how = f"{verb} {prefix}{' gzip' if gzip else ''}, {done.records:,} records"
            a_core = done.records / done.processor
            print(
                f"{how}: {a_core:,.0f} records/s of a core, {done.records / done.clock:,.0f} by the clock; "
                f"{done.processor / done.records * 1e6:.1f} us a record; peak {done.early:.0f} MiB after a tenth, {done.late:.0f} MiB at the end"
            )
            row("oai_provider", how, a_core, "records/s a core", "10,000")
            if prefix == "marcxml" and gzip:
                row(
                    "oai_provider",
                    "peak memory at the end of the list, beside that after a tenth of it",
                    done.late / done.early,
                    "times",
                    "1",
                )


if __name__ == "__main__":
    main()
