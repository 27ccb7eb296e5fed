"""A full export against the lake, one million records against one million: `python -m tests.bench.compare [RECORDS]`.

Each record is a key and a content hash; both sides start as Arrow columns in memory, and each way must find the same added, changed, deleted
and unchanged records. The dictionaries are given the best case too: their bytes objects made beforehand, outside the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.lake.rows import compare
from tests.bench.row import row

Counts = tuple[int, int, int, int]
REPEATS = 3


def exports(records: int) -> tuple[pa.Table, pa.Table]:
    """Yesterday's records and today's in another order: 1 % changed, 0.5 % gone, 0.5 % new."""
    random = np.random.default_rng(20261121)
    keys = pa.array(f"870970:{number:09d}" for number in range(records + records // 200))
    hashes = random.integers(-(2**63), 2**63 - 1, len(keys))
    before = pa.table({"key": keys.slice(0, records), "_row_hash": hashes[:records]})
    after = hashes.copy()
    after[::100] ^= 1
    order = random.permutation(np.arange(records // 200, len(keys)))
    return before, pa.table({"key": keys.take(pa.array(order)), "_row_hash": after[order]})


def bindery(before: pa.Table, after: pa.Table) -> Counts:
    """What publish does: one hash join in DuckDB."""
    found = compare(before, after, ["key"])
    return len(found.added), len(found.changed), len(found.missing), found.unchanged


def dictionary(before: Sequence[tuple[bytes, bytes]], after: Sequence[tuple[bytes, bytes]]) -> Counts:
    """A dict of bytes: key to content hash."""
    known = dict(before)
    added = changed = unchanged = 0
    for key, content in after:
        old = known.pop(key, None)
        if old is None:
            added += 1
        elif old != content:
            changed += 1
        else:
            unchanged += 1
    return added, changed, len(known), unchanged


def as_bytes(table: pa.Table) -> list[tuple[bytes, bytes]]:
    """The table as a dictionary needs it."""
    hashes = [content.to_bytes(8, "little", signed=True) for content in table["_row_hash"].to_pylist()]
    return list(zip([key.encode() for key in table["key"].to_pylist()], hashes, strict=True))


def with_polars(before: pa.Table, after: pa.Table) -> Counts:
    """Polars: one inner join."""
    old, new = pl.DataFrame(before), pl.DataFrame(after)
    both = new.join(old, on="key", how="inner")
    same = both.select((pl.col("_row_hash") == pl.col("_row_hash_right")).sum()).item()
    return new.height - both.height, both.height - same, old.height - both.height, same


def with_pyarrow(before: pa.Table, after: pa.Table) -> Counts:
    """pyarrow: one inner join."""
    both = after.join(before, "key", join_type="inner", right_suffix="_old")
    same = pc.sum(pc.equal(both["_row_hash"], both["_row_hash_old"])).as_py()
    return after.num_rows - both.num_rows, both.num_rows - same, before.num_rows - both.num_rows, same


def best(way: Callable[[], Counts]) -> tuple[float, Counts]:
    """Seconds of the fastest of REPEATS runs, and what it found."""
    seconds, found = [], (0, 0, 0, 0)
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = way()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def main(records: int) -> None:
    """Run all ways and print a table."""
    before, after = exports(records)
    old, new = as_bytes(before), as_bytes(after)
    ways: dict[str, Callable[[], Counts]] = {
        "Bindery (lake.rows.compare)": lambda: bindery(before, after),
        "dict of bytes, bytes ready": lambda: dictionary(old, new),
        "dict of bytes, from Arrow": lambda: dictionary(as_bytes(before), as_bytes(after)),
        "polars join": lambda: with_polars(before, after),
        "pyarrow join": lambda: with_pyarrow(before, after),
    }
    results = {name: best(way) for name, way in ways.items()}
    ours, truth = results["Bindery (lake.rows.compare)"]
    print(f"{records:,} records against {records:,}: added, changed, deleted, unchanged = {truth}")
    for name, (seconds, found) in results.items():
        assert found == truth, f"{name} found {found}"
        print(f"  {name:30} {seconds:7.3f} s   {2 * records / seconds / 1e6:6.2f} M records/s   Bindery is {seconds / ours:5.1f} x as fast")
        goal = "at least 4 x" if name.startswith("dict") else ""
        row("compare", f"{records:,} against {records:,}: {name}", seconds, "s")
        if seconds != ours:
            row("compare", f"{records:,} against {records:,}: Bindery beside {name}", seconds / ours, "x as fast", goal)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
