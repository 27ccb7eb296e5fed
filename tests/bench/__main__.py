"""All benches, one after the other: python -m tests.bench [--quick]

Each runs in processes of its own, so that one's memory is not another's. The rows go to .bench/results.json and are printed as one table;
docs/benchmarks.md says what they mean and which goals are missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.row import FILE

FOLDER = Path(".bench")
FULL: list[list[str]] = [
    ["gate"],
    ["ingest", "--loans", "1000000", "--repeats", "3"],
    ["ingest", "--loans", "5000000"],
    ["bi"],
    ["compare"],
    ["dispatch"],
    ["crm"],
    ["parse"],
    ["oai"],
    ["adhl_relations", "--loans", "5000000", "--peer"],
    ["adhl_relations", "--loans", "5000000", "--each", "50"],
    ["adhl_relations", "--loans", "50000000"],
    ["adhl_service"],
    ["adhl_upload"],
    ["oai_provider"],
    ["sip2"],
    ["board"],
    ["marc"],
]
QUICK: list[list[str]] = [
    ["gate", "200000"],
    ["ingest", "--loans", "100000", "--repeats", "3"],
    ["bi", "--loans", "200000"],
    ["compare", "200000"],
    ["dispatch", "--inboxes", "40", "--files", "100", "--new", "100"],
    ["crm", "--patrons", "100000", "--repeats", "1"],
    ["parse"],
    ["oai", "--records", "10000", "--repeats", "1"],
    ["adhl_relations", "--loans", "200000", "--peer"],
    ["adhl_service", "--titles", "10000", "--rate", "200", "--seconds", "3"],
    ["adhl_upload", "--rows", "100000", "--mb", "20"],
    ["oai_provider", "--records", "50000"],
    ["sip2", "--seconds", "2", "--connections", "50", "--idle", "500"],
    ["board", "--deliveries", "20000", "--quarantined", "100000", "--repeats", "10"],
    ["marc", "20000", "--peers-records", "2000", "--repeats", "1"],
]


def main() -> None:
    """Run them, print the table, write the results; the status tells whether every bench ran."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Run all benches.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes: does everything run? The figures mean little.")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    found = FOLDER / "rows.jsonl"
    found.unlink(missing_ok=True)
    failed = []
    for bench, *arguments in QUICK if asked.quick else FULL:
        print(f"== {' '.join([bench, *arguments])}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"tests.bench.{bench}", *arguments], env=os.environ | {FILE: str(found.absolute())})
        if done.returncode:
            failed.append(bench)
    rows = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()] if found.exists() else []
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system(), "quick": asked.quick}
    results = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **machine, "rows": rows}
    (FOLDER / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print("\n| bench | measured | value | goal |\n|---|---|---:|---|")
    for one in rows:
        print(f"| {one['bench']} | {one['what']} | {_short(one['value'])} {one['unit']} | {one['goal']} |")
    if failed:
        raise SystemExit(f"did not run to their end: {', '.join(failed)}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    main()
