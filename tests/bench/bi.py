"""Seconds and memory of a BI feed: python -m tests.bench.bi [--loans 5000000] [--no-gate]

The lake's tables are made by DuckDB (once, in .bench/bi), and the feed runs in a process of its own, whose peak resident memory is told.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from connectors.bi import feed as feeding
from connectors.bi.house import House, Library
from connectors.bi.source import INPUTS, fitted
from connectors.bi.tables import TABLES
from include.engine.contract.loading import load
from include.engine.crypto.keys import DataKey
from include.engine.privacy.pseudonym import Pseudonyms
from tests.bench.row import row

FOLDER = Path(".bench/bi")
PARTNERS = ("almvik", "havnsund", "lindeby", "molendal")


@dataclass(frozen=True)
class Files:
    """A source over Parquet files: `<folder>/<table>/<partner>.parquet`."""

    folder: Path

    def versions(self) -> Mapping[str, int]:
        return dict.fromkeys(INPUTS, 1)

    def partners(self) -> list[str]:
        return list(PARTNERS)

    def stream(self, table: str, partner: str) -> pa.RecordBatchReader:
        files = ds.dataset(self.folder / table / f"{partner}.parquet")
        batches = files.scanner(batch_size=64_000, batch_readahead=2, fragment_readahead=1, use_threads=False).to_batches()
        return fitted(pa.RecordBatchReader.from_batches(files.schema, batches), INPUTS[table])


class OneKey:
    """A key store that knows one key for each partner."""

    def ensure(self, purpose: str, subject: str) -> DataKey:
        return DataKey(f"{purpose}/{subject}", subject.encode().ljust(32, b"-"))


def make(loans: int) -> Path:
    """Lake tables in Parquet, a quarter of the loans to each partner: half of them back."""
    folder = FOLDER / str(loans)
    if (folder / "loan" / f"{PARTNERS[-1]}.parquet").exists():
        return folder
    each, items, patrons, titles = loans // 4, max(loans // 20, 10), max(loans // 40, 10), max(loans // 50, 10)
    queries = {
        "bibliographic": f"""SELECT (10000000 + i)::VARCHAR control_number, 'DK-799001' agency, 'Title number ' || i title,
            'book' material_type, ['Author ' || i % 999] contributors, ['978' || i] isbn, ['subject ' || i % 99] subjects,
            2000 + i % 26 AS year FROM range({titles}) t(i)""",
        "item": f"""SELECT i::VARCHAR item_id, 'b' || i barcode, (10000000 + i % {titles})::VARCHAR control_number, 'DK-799001' agency,
            'branch' || i % 12 branch, 'available' status FROM range({items}) t(i)""",
        "patron": f"""SELECT md5(i::VARCHAR) patron, 1940 + i % 80 birth_year, 'm' || i % 90 municipality, 'c' || i % 5 category,
            'branch' || i % 12 home_library FROM range({patrons}) t(i)""",
        "patron_alias": f"SELECT md5('card' || i) alias, md5(i::VARCHAR) patron FROM range({patrons}) t(i)",
        "loan": f"""SELECT 'loan' || i loan_id, 'loan' AS event, 'home' kind, i % 3 renewals,
            CASE WHEN i % 5 > 0 THEN md5(CASE WHEN i % 2 = 0 THEN 'card' ELSE '' END || hash(i) % {patrons}) END patron,
            (hash(i + 1) % {items})::VARCHAR item_id,
            DATE '2024-11-20' + (hash(i + 2) % 730)::INT loaned_on,
            CASE WHEN i % 2 = 0 THEN loaned_on + (hash(i + 3) % 40)::INT END returned_on,
            'branch' || i % 12 lending_branch, 'branch' || i % 11 returning_branch FROM range({each}) t(i)""",
    }
    for table, query in queries.items():
        (folder / table).mkdir(parents=True, exist_ok=True)
        for partner in PARTNERS:
            duckdb.execute(f"COPY ({query}) TO '{folder / table / partner}.parquet' (FORMAT parquet, ROW_GROUP_SIZE 122880)")
    return folder


def run(loans: int, gate: bool) -> dict[str, float]:
    """One feed in this process: seconds, peak resident MiB, rows."""
    home = FOLDER / "home"
    shutil.rmtree(home, ignore_errors=True)
    house = House(
        home=home,
        source=Files(FOLDER / str(loans)),
        pseudonyms=lambda partner: Pseudonyms(OneKey(), partner, "bi"),  # type: ignore[arg-type]
        contracts={name: load(f"bi_{name}") for name in TABLES},
        today=date(2026, 11, 21),
        libraries={partner: Library(partner, "Europe/Copenhagen") for partner in PARTNERS},
    )
    start, worked = time.perf_counter(), time.process_time()
    if gate:
        manifest = feeding.feed(house).manifest
    else:
        with mock.patch.object(feeding, "check", lambda *_: {}):
            manifest = feeding.feed(house).manifest
    assert manifest is not None
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    start = time.perf_counter()
    assert not feeding.feed(house).made
    return {
        "seconds": round(seconds, 1),
        "processor seconds": round(worked, 1),
        "seconds unchanged": round(time.perf_counter() - start, 3),
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "rows of fact_loan": manifest.rows["fact_loan"],
        "loans": sum(each["loans"] for each in manifest.measures.values()),
        "files": len(manifest.files),
        "MiB": sum(file.bytes for file in manifest.files) // 1024**2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=5_000_000)
    parser.add_argument("--no-gate", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(run(asked.loans, not asked.no_gate)))
        return
    make(asked.loans)
    found = subprocess.run(
        [sys.executable, "-m", "tests.bench.bi", *sys.argv[1:], "--child"], check=True, stdout=subprocess.PIPE, text=True
    )
    figures = json.loads(found.stdout.splitlines()[-1])
    for name, value in figures.items():
        print(f"{name:>20} {value:>14,}")
    for name, unit, goal in (("seconds", "s", ""), ("processor seconds", "s", ""), ("peak MiB", "MiB", "under 1.5 GB for 5M")):
        row("bi", f"feed of {figures['loans']:,} loans: {name}", figures[name], unit, goal)


if __name__ == "__main__":
    main()
