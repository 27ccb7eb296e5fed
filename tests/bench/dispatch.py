"""Dispatch with 400 local inboxes that hold 1,000 files each: seconds of a look in which 1,000 new files are
seen and the first of each inbox is claimed, and of one in which nothing is new.

    python -m tests.bench.dispatch [--inboxes 400] [--files 1000] [--new 1000]

The goal is under 20 s for looking through all of it and claiming. Beside it: listing the same folders and nothing else.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import sqlalchemy as sa

from include.engine import clock
from include.engine.delivery import NewDelivery
from include.engine.dispatch.look import look
from include.engine.engine import Engine
from include.engine.ledger import deliveries, inbox, schema
from tests.bench.house import empty_house
from tests.bench.row import row

HOME = Path(".bench/dispatch").absolute()


def filled(inboxes: int, files: int) -> Engine:
    """An engine whose inboxes hold `files` small files each, all of them deliveries of long ago."""
    names = [f"library{number:03d}" for number in range(inboxes)]
    engine = empty_house(HOME, names)
    now = clock.now()
    old = NewDelivery(id="library000__loan__20240101T0000__00000000", partner="library000", flow="ils_import", table="loan", seen_at=now)
    deliveries.see(engine.ledger, old)
    with engine.ledger.begin() as tx:
        # All belong to one delivery: what dispatch asks of them is only that they have one.
        tx.execute(sa.update(schema.delivery).values(state="acknowledged"))
        for name in names:
            for number in range(files):
                (HOME / "inbox" / name / f"loans_old_{number:05d}.csv").write_bytes(b"x")
            with engine.store(f"file:inbox/{name}") as store:
                inbox.look(engine.ledger, name, "ils_import", f"file:inbox/{name}", store.list(), now, tx=tx)
        tx.execute(sa.update(schema.inbox_file).values(delivery_id=old.id))
    return engine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dispatch")
    parser.add_argument("--inboxes", type=int, default=400)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--new", type=int, default=1000)
    given = parser.parse_args()
    engine = filled(given.inboxes, given.files)
    inboxes = sorted((HOME / "inbox").iterdir())
    for number in range(given.new):
        (inboxes[number % len(inboxes)] / f"loans_{number:05d}.csv").write_bytes(f"issue_id\n{number}\n".encode())
    begin = time.perf_counter()
    listed = sum(1 for folder in inboxes for entry in os.scandir(folder) if entry.stat().st_size)
    plain = time.perf_counter() - begin
    print(f"{listed:,} files listed by os.scandir alone: {plain:.1f} s")
    for name in ("first", "second"):
        begin, busy = time.perf_counter(), time.process_time()
        claimed = look(engine, patience=600)
        seconds, busy = time.perf_counter() - begin, time.process_time() - busy
        print(f"{name} look: {len(claimed):,} claimed in {seconds:.1f} s, {busy:.1f} s of one core (goal: under 20 s)")
        files = f"{given.inboxes} inboxes of {given.files:,} files"
        row("dispatch", f"{files}, {name} look, {len(claimed):,} claimed", seconds, "s", "under 20 s")
        row("dispatch", f"{files}, {name} look, processor", busy, "s")


if __name__ == "__main__":
    main()
