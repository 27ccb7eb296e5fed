"""How fast the gate is: 1M loans of 15 columns against 10 row rules, on one core, beside two other ways of doing the same.

    python -m tests.bench.gate [ROWS]

- gate: Great Expectations decides, its own row positions split; words for each row set aside, places, duplicates and the verdict included.
- shipped: the same expectations on Great Expectations as it comes: one frame of all columns (in the types that it is fastest at), COMPLETE
  results, split by their positions.
- polars: the same ten rules and the duplicates, written by hand; a reason code a row, no words, no results a rule.

Arrow in and Arrow out, imports excluded, one core, median of three. Rows/s are rows by second of that core's time, so that a neighbour on the
machine does not count; wall-clock seconds stand beside it.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import resource
import statistics
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import great_expectations as gx
import numpy as np
import polars as pl
import pyarrow as pa

from include.engine.contract import arrow_schema, load
from include.engine.contract.suite import suite
from include.engine.gate import fingerprint, judge
from include.engine.gate.frame import frame
from include.engine.gate.gate import CHUNK, Gate
from tests.bench.row import row

TODAY = date(2026, 11, 21)
KINDS = ["home", "in_library", "interlibrary", "institution", "e_loan"]
CONTRACT = load("gate_loan", Path(__file__).parent)


def loans(rows: int, bad: float, seed: int = 7) -> pa.Table:
    """`rows` loans, of which a share of `bad` breaks one rule each, evenly over the rules."""
    rng = np.random.default_rng(seed)
    day = (np.datetime64(TODAY) - rng.integers(40, 740, rows).astype("timedelta64[D]")).astype("datetime64[D]")
    back = rng.random(rows) < 0.9
    breaks = np.where(rng.random(rows) < bad, rng.integers(1, 8, rows), 0)
    due, returned = day + 30, np.where(back, day + rng.integers(0, 35, rows), np.datetime64("NaT"))
    due = np.where(breaks == 1, day - 3, due)
    returned = np.where(breaks == 2, day - 1, returned)
    day = np.where(breaks == 3, np.datetime64("2062-11-02"), day)
    due, returned = np.where(breaks == 3, np.datetime64("2062-12-02"), due), np.where(breaks == 3, np.datetime64("NaT"), returned)
    number = np.arange(rows)
    text = pa.array(number).cast(pa.string())
    columns = {
        "_member": pa.repeat(pa.scalar(""), rows),
        "_record": pa.array(number + 1),
        "_offset": pa.array(number * 140),
        "_length": pa.array(np.full(rows, 140, dtype=np.int32)),
        "loan_id": text,
        "event": pa.array(["loan", "udlaan"]).take(pa.array((breaks == 4).astype(np.int32))),
        "kind": pa.array([*KINDS, "hjem"]).take(pa.array(np.where(breaks == 5, 5, rng.integers(0, 5, rows)).astype(np.int32))),
        "patron_id": pa.array(rng.integers(0, 50_000, rows)).cast(pa.string()),
        "item_id": pa.array(rng.integers(0, 300_000, rows)).cast(pa.string()),
        "barcode": pa.array(rng.integers(10**9, 2 * 10**9, rows)).cast(pa.string()),
        "control_number": pa.array(np.where(breaks == 6, 5, rng.integers(10**7, 10**8, rows))).cast(pa.string()),
        "agency": pa.repeat(pa.scalar("DK-799001"), rows),
        "loaned_on": pa.array(day),
        "loaned_at": pa.array(day.astype("datetime64[us]")),
        "due_on": pa.array(due),
        "returned_on": pa.array(returned),
        "renewals": pa.array(np.where(breaks == 7, -1, rng.integers(0, 4, rows)).astype(np.int16)),
        "lending_branch": pa.array(["hb", "nord", "syd"]).take(pa.array(rng.integers(0, 3, rows))),
        "returning_branch": pa.array(["hb", "nord", "syd"]).take(pa.array(rng.integers(0, 3, rows))),
    }
    return pa.table(columns).cast(arrow_schema(CONTRACT, source_columns=True))


def by_gate(table: pa.Table) -> int:
    """Rows that the gate lets through."""
    gate = Gate(CONTRACT, today=TODAY, delivery="bench")
    splits = [gate.split(batch) for batch in table.to_batches(max_chunksize=CHUNK)]
    verdict = gate.verdict()
    assert sum(split.set_aside.num_rows for split in splits) + len(verdict.late_positions) == verdict.quarantined
    return verdict.accepted


def by_shipped(table: pa.Table) -> int:
    """The same with Great Expectations as it comes."""
    definition = judge._batch_definition()
    whole = frame(table.combine_chunks().to_batches()[0], CONTRACT, CONTRACT.names)
    batch = definition.get_batch(batch_parameters={"dataframe": whole})
    results = batch.validate(suite(CONTRACT, TODAY), result_format="COMPLETE").results
    bad = np.zeros(table.num_rows, dtype=bool)
    for result in results:
        bad[result.result.get("unexpected_index_list") or []] = True
    accepted, set_aside = table.filter(pa.array(~bad)), table.filter(pa.array(bad))
    assert accepted.num_rows + set_aside.num_rows == table.num_rows
    return accepted.num_rows


def by_polars(table: pa.Table) -> int:
    """The same written by hand."""
    last = TODAY + timedelta(days=1)
    rules = {
        "KEY_MISSING": pl.col("loan_id").is_null(),
        "VALUE_MISSING": pl.col("loaned_on").is_null(),
        "UNKNOWN_EVENT": ~pl.col("event").is_in(["loan", "renewal", "return"]),
        "UNKNOWN_KIND": ~pl.col("kind").is_in(KINDS),
        "CONTROL_NUMBER": ~pl.col("control_number").str.contains("^[0-9]{8,9}$"),
        "LOAN_IN_FUTURE": pl.col("loaned_on") > last,
        "DUE_BEFORE_LOAN": pl.col("due_on") < pl.col("loaned_on"),
        "RETURN_BEFORE_LOAN": pl.col("returned_on") < pl.col("loaned_on"),
        "RETURN_IN_FUTURE": pl.col("returned_on") > last,
        "COUNT_NEGATIVE": pl.col("renewals") < 0,
    }
    reason = pl.coalesce([pl.when(broken).then(pl.lit(code)) for code, broken in rules.items()]).alias("reason")
    judged = pl.DataFrame(table).with_columns(reason)
    accepted = judged.filter(pl.col("reason").is_null())
    set_aside = judged.filter(pl.col("reason").is_not_null())
    late = accepted.select(pl.struct("loan_id", "event").is_duplicated().sum()).item()
    assert accepted.height + set_aside.height == table.num_rows
    accepted.to_arrow()
    return int(accepted.height - late)


def median(run: Callable[[pa.Table], int], table: pa.Table) -> tuple[float, float, int]:
    """Seconds of the core and of the clock (medians of three), and rows accepted."""
    core, clock, accepted = [], [], 0
    for _ in range(3):
        started, began = time.process_time(), time.perf_counter()
        accepted = run(table)
        core.append(time.process_time() - started)
        clock.append(time.perf_counter() - began)
    return statistics.median(core), statistics.median(clock), accepted


def shipped(run: Callable[[pa.Table], int]) -> Callable[[pa.Table], int]:
    """`run` without the fingerprint override."""

    def bare(table: pa.Table) -> int:
        from great_expectations.execution_engine import pandas_execution_engine

        setattr(pandas_execution_engine, fingerprint.NAME, fingerprint._as_shipped)
        try:
            return run(table)
        finally:
            fingerprint.install()

    return bare


def main(rows: int) -> None:
    """Prints the table."""
    print(f"{datetime.now():%Y-%m-%d %H:%M}  {rows:,} loans x {len(CONTRACT.columns)} columns x 10 rules, one core, GX {gx.__version__}")
    print(f"{'bad rows':>9} {'':8} {'core s':>8} {'clock s':>8} {'rows/s':>11} {'to gate':>8} {'accepted':>10}")
    for bad in (0.0, 0.02, 0.2):
        table = loans(rows, bad)
        ours = 0.0
        counts = set()
        for name, run in (("gate", by_gate), ("polars", by_polars), ("shipped", shipped(by_shipped))):
            run(table.slice(0, 1000))
            seconds, clock, accepted = median(run, table)
            ours = ours or seconds
            counts.add(accepted)
            print(
                f"{bad:>9.0%} {name:8} {seconds:>8.2f} {clock:>8.2f} {rows / seconds:>11,.0f} {ours / seconds:>7.2f}x {accepted:>10,}",
                flush=True,
            )
            goal = "at least 500,000" if name == "gate" else ""
            row("gate", f"{rows:,} loans, {bad:.0%} bad: {name}", rows / seconds, "rows/s a core", goal)
            if name != "gate":
                row("gate", f"{rows:,} loans, {bad:.0%} bad: the gate beside {name}", seconds / ours, "x as fast")
        assert len(counts) == 1, f"the three disagree: {counts}"
    print(f"peak memory of the whole bench: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
