"""A file of loans from landing to published, in one process of its own: seconds (imports excluded) and peak resident memory.

    python -m tests.bench.ingest [--loans 1000000] [--bad 0]

The goal is 1M loans (a CSV file of about 120 MB) in under 8 s and 1 GB, and 5M loans in the same memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.bench import data

HOME = Path(".bench/ingest").absolute()


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
        begin = time.perf_counter()
        step(engine, one.id, inbound)
        found[name] = time.perf_counter() - begin
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
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(given.child)))
        return
    file, answer = data.loans("havnsund", given.loans, bad=given.bad)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ingest", "--child", str(file.absolute())], stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    seconds = found["receive"] + found["gate"] + found["publish"]
    print(
        f"{answer.records:,} loans, {answer.bytes / 1e6:.0f} MB: {found['state']}, {found['published']:,} published, {found['quarantined']:,} set aside"
    )
    print(f"receive and stage {found['receive']:.1f} s, gate and bind {found['gate']:.1f} s, publish {found['publish']:.1f} s")
    print(f"landing to published {seconds:.1f} s (goal: under 8 s for 1M), peak {found['peak']:.0f} MB (goal: under 1 GB)")
    if (found["in"], found["published"]) != (answer.records, answer.good):
        raise SystemExit(f"the answer sheet says {answer.records:,} in and {answer.good:,} published")


if __name__ == "__main__":
    main()
