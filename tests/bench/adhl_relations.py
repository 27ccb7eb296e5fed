"""Seconds and memory of a release of relations: python -m tests.bench.adhl_relations [--loans 5000000] [--each 20] [--skew 1.0] [--peer]

The lake's tables are four public libraries' that share their titles' numbers; titles are drawn by Zipf's law out of a million, loans a patron
by a gamma distribution of shape 2. They are made once, in .bench/adhl. The release runs in a process of its own, whose peak resident memory is
told. The peer counts the same pairs by a self-join in DuckDB, of numbers it is given ready.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from connectors.adhl.relations import release as releasing
from connectors.adhl.relations.borrowed import gather
from connectors.adhl.relations.count import pairs
from connectors.adhl.relations.house import CONTRACTS, INPUTS, House
from connectors.adhl.relations.settings import Settings
from include.engine.contract.loading import load
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.lake.source import fitted
from tests.bench.row import row

FOLDER = Path(".bench/adhl")
PARTNERS = ("lindeby", "nordby", "sydby", "vestby")
TITLES = 1_000_000
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Files:
    """A source over Parquet files: `<folder>/<table>/<partner>.parquet`; titles and items are the same for all."""

    folder: Path

    def versions(self) -> Mapping[str, int]:
        return dict.fromkeys(INPUTS, 1)

    def partners(self) -> list[str]:
        return list(PARTNERS)

    def stream(self, table: str, partner: str) -> pa.RecordBatchReader:
        path = FOLDER / f"{table}.parquet" if table in ("bibliographic", "item") else self.folder / table / f"{partner}.parquet"
        if not path.exists():
            return fitted(INPUTS[table].empty_table().to_reader(), INPUTS[table])
        files = ds.dataset(path)
        batches = files.scanner(batch_readahead=4, fragment_readahead=2, use_threads=True).to_batches()
        return fitted(pa.RecordBatchReader.from_batches(files.schema, batches), INPUTS[table])


def make(loans: int, each: int, skew: float) -> Path:
    """The lake's tables in Parquet, a quarter of the loans to each partner; `each` loans a patron on average."""
    folder = FOLDER / f"{loans}-{each}-{skew:g}"
    if (folder / "loan" / f"{PARTNERS[-1]}.parquet").exists():
        return folder
    (folder / "loan").mkdir(parents=True, exist_ok=True)
    texts = f"""SELECT (20000000 + i)::VARCHAR control_number, 'Title number ' || i title, ['Author ' || i % 9999] contributors,
        'by Author' responsibility FROM range({TITLES}) t(i)"""
    items = f"SELECT i::VARCHAR item_id, 'b' || i barcode, (20000000 + i)::VARCHAR control_number FROM range({TITLES}) t(i)"
    for table, query in {"bibliographic": texts, "item": items}.items():
        duckdb.execute(f"COPY ({query}) TO '{FOLDER / table}.parquet' (FORMAT parquet)")
    weight = np.cumsum(1 / np.arange(1, TITLES + 1) ** skew)
    shuffled = np.random.default_rng(0).permutation(TITLES)
    for seed, partner in enumerate(PARTNERS, 1):
        draw = np.random.default_rng(seed)
        per = draw.gamma(2, each / 2, loans // len(PARTNERS) // each)
        patron = np.repeat(np.arange(len(per)), np.maximum(1, np.rint(per)).astype(np.int64))
        draw.shuffle(patron)
        part, writer = folder / "loan" / f".{partner}.part", None
        for start in range(0, len(patron), _CHUNK):
            who = patron[start : start + _CHUNK]
            numbers = pa.table({"who": who, "title": shuffled[np.searchsorted(weight, draw.random(len(who)) * weight[-1])]})  # noqa: F841
            rows = duckdb.sql(
                """SELECT 'loan' event, 'home' kind, md5(who::VARCHAR) patron, title::VARCHAR item_id, 'b' || title barcode,
                NULL::VARCHAR control_number, DATE '2024-11-20' + (hash(who, title) % 730)::INT loaned_on FROM numbers"""
            ).to_arrow_table()
            writer = writer or pq.ParquetWriter(part, rows.schema, compression="zstd")
            writer.write_table(rows)
        assert writer is not None
        writer.close()
        part.rename(folder / "loan" / f"{partner}.parquet")
    return folder


def run(folder: Path) -> dict[str, float]:
    """One release in this process: seconds in all and by stage, peak resident MiB, rows."""
    home, seconds = FOLDER / "home", {}
    shutil.rmtree(home, ignore_errors=True)

    def timed(name: str) -> Any:
        work: Callable[..., Any] = getattr(releasing, name)

        def wrapped(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            found = work(*given, **named)
            seconds[f"seconds in {name}"] = seconds.get(f"seconds in {name}", 0.0) + time.perf_counter() - start
            return found

        return mock.patch.object(releasing, name, wrapped)

    start, worked = time.perf_counter(), time.process_time()
    with ExitStack() as stack:
        for name in ("gather", "pairs", "next_release", "write", "check"):
            stack.enter_context(timed(name))
        report = releasing.release(_house(folder, home))
    assert report.manifest is not None
    figures: dict[str, float] = {
        "seconds": time.perf_counter() - start,
        "processor seconds": time.process_time() - worked,
        **seconds,
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "loans": report.loans,
        "patrons": report.patrons,
        **{f"{name}s released": rows for name, rows in report.manifest.rows.items()},
        "MiB": sum(file.bytes for file in report.manifest.files) // 1024**2,
    }
    return {name: round(value, 1) for name, value in figures.items()}


def _house(folder: Path, home: Path) -> House:
    return House(
        home=home,
        source=Files(folder),
        keys=MemoryKeyStore(),
        contracts={name: load(f"adhl_{name}") for name in CONTRACTS},
        catalogues=dict.fromkeys(PARTNERS, "870970-basis"),
        settings=Settings(),
    )


def peer(folder: Path) -> dict[str, float]:
    """The pairs counted as a release counts them, and by a self-join in DuckDB; both from the same numbers in memory."""
    work = FOLDER / "peer"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    borrowed = gather(_house(folder, work), work)
    start = time.perf_counter()
    ours = len(pairs(borrowed, 5))
    mine = time.perf_counter() - start
    patron = np.repeat(np.arange(borrowed.patrons, dtype=np.int32), np.diff(borrowed.first))
    known = pa.table({"patron": patron, "title": borrowed.title})  # noqa: F841
    with duckdb.connect() as db:
        db.execute("SET threads = 2")
        db.execute("SET memory_limit = '6GB'")
        db.execute("CREATE TABLE b AS SELECT * FROM known WHERE title IN (SELECT title FROM known GROUP BY title HAVING count(*) >= 5)")
        start = time.perf_counter()
        found = db.execute(
            """SELECT count(*) FROM (SELECT one.title, two.title, count(*) FROM b one JOIN b two
            ON one.patron = two.patron AND one.title < two.title GROUP BY ALL HAVING count(*) >= 5)"""
        ).fetchall()[0][0]
        theirs = time.perf_counter() - start
    assert found == ours, f"{found:,} pairs by DuckDB, {ours:,} by us"
    return {
        "seconds of the sparse product": round(mine, 2),
        "seconds of DuckDB's self-join": round(theirs, 2),
        "times as fast": round(theirs / mine, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=5_000_000)
    parser.add_argument("--each", type=int, default=20, help="loans a patron, on average")
    parser.add_argument("--skew", type=float, default=1.0, help="Zipf's exponent")
    parser.add_argument("--peer", action="store_true", help="also count the pairs by DuckDB")
    parser.add_argument("--child", choices=("run", "peer"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    folder = FOLDER / f"{asked.loans}-{asked.each}-{asked.skew:g}"
    if asked.child:
        print(json.dumps(run(folder) if asked.child == "run" else peer(folder)))
        return
    make(asked.loans, asked.each, asked.skew)
    what = f"{asked.loans / 1e6:g}M loans, {asked.each} a patron"
    for child in ("run", *(["peer"] if asked.peer else [])):
        command = [sys.executable, "-m", "tests.bench.adhl_relations", *sys.argv[1:], "--child", child]
        figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
        for name, value in figures.items():
            print(f"{what}: {name:>32} {value:>14,}")
        for name, unit in {"seconds": "s", "processor seconds": "s", "peak MiB": "MiB", "times as fast": "x"}.items():
            if name in figures:
                goal = {"seconds": "100", "peak MiB": "6144"}.get(name, "") if asked.loans == 50_000_000 else ""
                row("relations", f"{what}: {'pairs beside DuckDB' if child == 'peer' else name}", figures[name], unit, goal)


if __name__ == "__main__":
    main()
