"""A file of loans from landing to published, in one process of its own: seconds (imports excluded) and peak resident memory.

    python -m tests.bench.ingest [--loans 1000000] [--bad 0]

The goal is 1M loans (a CSV file of about 120 MB) in under 8 s and 1 GB, and 5M loans in the same memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench import data
from tests.bench.row import row

HOME = Path(".bench/ingest").absolute()
STEPS = ("receive", "gate", "publish")


def measured(file: Path) -> dict[str, float | str]:
    """Runs in the child: every step's seconds, the peak in MB, and what became of the delivery."""
    from connectors.ils import inbound
    from include.engine.dispatch.look import look
    from include.engine.inbound.gate import gate
    from include.engine.inbound.publish import publish
    from include.engine.inbound.receive import receive
    from include.engine.ledger import deliveries
    from tests.bench.house import empty_house

    engine = empty_house(HOME, ["havnsund"])
    os.link(file, HOME / "inbox" / "havnsund" / file.name)
    (one,) = look(engine) or look(engine)
    found: dict[str, float | str] = {}
    for name, step in (("receive", receive), ("gate", gate), ("publish", publish)):
        begin, busy = time.perf_counter(), time.process_time()
        step(engine, one.id, inbound)
        found[name] = time.perf_counter() - begin
        found[f"{name} core"] = time.process_time() - busy
    ended = deliveries.get(engine.ledger, one.id)
    found |= {
        "state": str(ended.state),
        "in": ended.counts.in_,
        "published": ended.counts.published,
        "quarantined": ended.counts.quarantined,
    }
    return found | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest")
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--bad", type=float, default=0.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(given.child)))
        return
    file, answer = data.loans("havnsund", given.loans, bad=given.bad)
    runs = [_run(file) for _ in range(given.repeats)]
    print(f"{answer.records:,} loans, {answer.bytes / 1e6:.0f} MB, median of {given.repeats}")
    for name in STEPS:
        clock, core = (statistics.median(run[key] for run in runs) for key in (name, f"{name} core"))
        print(f"{name:8} {clock:6.2f} s, {core:6.2f} s of processors")
        row("ingest", f"{answer.records:,} loans: {name}", clock, "s")
        row("ingest", f"{answer.records:,} loans: {name}, processors", core, "s")
    seconds = statistics.median(sum(run[name] for name in STEPS) for run in runs)
    peak = statistics.median(run["peak"] for run in runs)
    print(f"landing to published {seconds:.1f} s (goal: under 8 s for 1M), peak {peak:.0f} MiB (goal: under 1 GB)")
    row("ingest", f"{answer.records:,} loans: landing to published", seconds, "s", "under 8 s for 1M")
    row("ingest", f"{answer.records:,} loans: peak memory", peak, "MiB", "under 1 GB")
    for found in runs:
        if (found["in"], found["published"]) != (answer.records, answer.good):
            raise SystemExit(f"the answer sheet says {answer.records:,} in and {answer.good:,} published")


def _run(file: Path) -> dict[str, Any]:
    """One delivery in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.ingest", "--child", str(file.absolute())]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
