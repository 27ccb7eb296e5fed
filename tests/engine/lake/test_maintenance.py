"""Upkeep: compaction, vacuum, and erasure with the history."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from include.engine.lake import files as lake_files
from include.engine.lake import maintenance
from include.engine.lake.maintenance import compact, history_without, vacuum
from include.engine.lake.publish import publish
from include.engine.lake.table import Lake, open_table
from include.engine.ledger import manifests
from include.engine.ledger.database import Ledger
from include.engine.ledger.leases import LeaseTaken, lease
from tests.engine.lake.helpers import ITEM, contract, deliver, item, keep_going, rows_of, state

DAY = 24 * 3600


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def files(lake: Lake, partner: str = "lindeby") -> list[Path]:
    return sorted(Path(lake.uri("item"), f"partner={partner}").glob("*.parquet"))


def holds(lake: Lake, value: str) -> list[str]:
    """Names of all files of the table, log and checkpoints included, in whose bytes or decoded values `value` is."""
    found = []
    for path in Path(lake.uri("item")).rglob("*"):
        if path.is_file():
            plain = value.encode() in path.read_bytes()
            decoded = path.suffix == ".parquet" and value in str(ds.dataset(path).to_table().to_pylist())
            found += [path.name] * (plain or decoded)
    return found


def test_small_files_of_a_partner_become_one_with_the_same_rows(lake: Lake) -> None:
    for number in range(4):
        deliver(lake, f"d{number}", [item(number)], "append")
        deliver(lake, f"a{number}", [item(number)], "append", partner="almvik")
    before = state(lake)
    assert compact(lake, "item", partner="lindeby") == 4
    assert state(lake) == before
    assert len(open_table(lake, "item").file_uris()) == 1 + 4
    assert compact(lake, "item") == 4
    assert compact(lake, "item") == 0
    assert deliver(lake, "d9", [item(number) for number in range(4)]).unchanged == 4


def test_vacuum_removes_left_overs_of_a_crash_and_what_no_kept_version_needs(lake: Lake) -> None:
    deliver(lake, "d1", [item(1)])
    second = deliver(lake, "d2", [item(1, "lost")])
    old, current = files(lake), {Path(uri).name for uri in open_table(lake, "item").file_uris()}
    orphan = Path(lake.uri("item"), "partner=lindeby", "crashed.parquet")
    orphan.write_bytes(b"half a file")
    assert vacuum(lake, "item").files == 0  # all too young
    os.utime(orphan, (time.time() - 2 * DAY,) * 2)
    for file in old:
        os.utime(file, (time.time() - 60 * DAY,) * 2)
    cleared = vacuum(lake, "item")
    assert (cleared.files, cleared.bytes) == (1, 11)  # a file that a version of the last 30 days needs stays, however old it is
    assert vacuum(lake, "item", keep_days=0).files == 1
    assert {file.name for file in files(lake)} == current
    assert state(lake, version=second.version_after) == {"i1": ("lost", 0)}


def test_a_version_that_the_ledger_pins_keeps_its_files(lake: Lake, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    kept = Lake(lake.root, ledger=ledger)
    first = deliver(lake, "d1", [item(1)])
    deliver(lake, "d2", [item(1, "lost")])
    deliver(lake, "d3", [item(1, "withdrawn")])
    manifests.pin(ledger, None, {"item": manifests.Versions(before=0, after=first.version_after)})
    assert vacuum(kept, "item", keep_days=0, orphan_hours=0).files == 1
    assert state(kept, version=None) == {"i1": ("available", 0)}


def test_upkeep_waits_for_the_tables_lease(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    deliver(lake, "d1", [item(1)])
    monkeypatch.setattr(maintenance, "LEASE_WAIT", 0.1)
    with lease(ledger, "lake:item", holder="another", seconds=60), pytest.raises(LeaseTaken):
        compact(Lake(lake.root, ledger=ledger), "item")


def test_an_erased_row_leaves_no_byte_in_the_table_its_history_or_its_log(lake: Lake) -> None:
    deliver(lake, "d1", [item(1, "Zaphodsen"), item(2)])
    deliver(lake, "d2", [item(1, "Zaphodsen"), item(3)])
    deliver(lake, "a1", [item(1, "other")], partner="almvik")
    open_table(lake, "item").create_checkpoint()
    orphan = Path(lake.uri("item"), "partner=lindeby", "crashed.parquet")
    pa.parquet.write_table(pa.table({"status": ["Zaphodsen"]}), orphan)
    assert len(holds(lake, "Zaphodsen")) == 3
    done = history_without(lake, "item", "lindeby", ds.field("status") == "Zaphodsen")
    assert (done.rows, done.files) == (1, 4 - 1)
    assert holds(lake, "Zaphodsen") == []
    assert state(lake) == {"i3": ("available", 0)}
    assert state(lake, "almvik", version=done.version_before) == {"i1": ("other", 0)}


def test_whoever_is_only_in_the_past_is_erased_there(lake: Lake) -> None:
    deliver(lake, "d1", [item(1, "Zaphodsen"), item(2)])
    deliver(lake, "d2", [item(2)])
    done = history_without(lake, "item", "lindeby", (ds.field("item_id") == "i1") & (ds.field("partner") == "lindeby"))
    assert (done.rows, done.files) == (0, 1)
    assert holds(lake, "Zaphodsen") == []


def test_an_erasure_that_is_tried_again_says_what_it_did_and_sweeps_again(lake: Lake) -> None:
    deliver(lake, "d1", [item(1, "Zaphodsen"), item(2)])
    where = ds.field("status") == "Zaphodsen"
    first = history_without(lake, "item", "lindeby", where, erasure="e1")
    pa.parquet.write_table(pa.table({"status": ["Zaphodsen"]}), Path(lake.uri("item"), "partner=lindeby", "late.parquet"))
    again = history_without(lake, "item", "lindeby", where, erasure="e1")
    assert (first.rows, again.rows, again.files) == (1, 1, 1)
    assert holds(lake, "Zaphodsen") == []


def test_a_publish_that_an_erasure_overtakes_starts_again_and_names_no_file_that_is_gone(lake: Lake) -> None:
    deliver(lake, "d1", [item(1, "Zaphodsen"), item(2)])
    once = [lambda: history_without(lake, "item", "lindeby", ds.field("status") == "Zaphodsen")]
    checks = iter([lambda: None, lambda: once.pop()()])  # the erasure comes when all is written, just before the commit

    publish(lake, ITEM, "lindeby", "d2", rows_of([item(2), item(3)]), "delta", lambda: next(checks, keep_going)())
    assert state(lake) == {"i2": ("available", 0), "i3": ("available", 0)}
    assert holds(lake, "Zaphodsen") == []
    assert {Path(uri).name for uri in open_table(lake, "item").file_uris()} == {file.name for file in files(lake)}


def test_a_publish_that_an_erasure_overtakes_leaves_nothing_of_what_it_wrote_before(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_files, "FILE_ROWS", 2)
    deliver(lake, "d1", [item(1, "Zaphodsen"), item(2)])
    late = Path(lake.root) / "late.parquet"

    def erase_between_two_files() -> None:
        """Of what a try has written until then an erasure sweeps away all; its last file comes after."""
        [*_, last] = sorted(set(files(lake)) - before, key=lambda path: path.name)
        last.rename(late)
        history_without(lake, "item", "lindeby", ds.field("status") == "nobody's")
        late.rename(last)

    before = set(files(lake))
    checks = iter([lambda: None, erase_between_two_files])
    publish(lake, ITEM, "lindeby", "d2", rows_of([item(n, "Zaphodsen") for n in range(1, 5)]), "delta", lambda: next(checks, keep_going)())
    assert len(state(lake)) == 4
    assert {Path(uri).name for uri in open_table(lake, "item").file_uris()} == {file.name for file in set(files(lake)) - before}


CRASHING = """
import os, signal, sys
from include.engine.lake.table import Lake
from tests.engine.lake.helpers import ITEM, deliver, item, rows_of
checks = []
def die():
    checks.append(1)
    if len(checks) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
deliver(Lake(sys.argv[1]), "d1", [item(n) for n in range(9)], check=die)
"""


@pytest.mark.crash
def test_a_try_that_is_killed_before_its_commit_leaves_orphans_that_vacuum_takes(lake: Lake) -> None:
    done = subprocess.run([sys.executable, "-c", CRASHING, str(lake.root)], check=False, cwd=Path.cwd())
    assert done.returncode == -9
    assert len(files(lake)) == 1
    assert open_table(lake, "item").file_uris() == []
    assert deliver(lake, "d1", [item(n) for n in range(9)]).added == 9
    assert vacuum(lake, "item", orphan_hours=0).files == 1
    assert len(state(lake)) == 9


def test_erasure_reaches_files_that_are_older_than_a_column_it_names(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    newer = contract({**{c.name: c.type for c in ITEM.columns if c.name != "partner"}, "note": pa.string()}, version="1.1.0")
    deliver(lake, "d2", [{**item(3), "note": "Zaphodsen"}], "append", of=newer)
    assert history_without(lake, "item", "lindeby", ds.field("note") == "Zaphodsen").rows == 1
    assert set(state(lake)) == {"i1", "i2"}
