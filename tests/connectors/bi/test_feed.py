"""Feeds: snapshots that appear whole, once for each state of the lake, judged by their contracts."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from connectors.bi.feed import feed
from connectors.bi.manifest import differences
from connectors.bi.snapshot import latest, prune, snapshots
from connectors.bi.tables import TABLES
from include.engine import clock
from include.engine.contract.arrow import arrow_schema
from include.engine.errors import Refused, SettingsError, Unreachable
from tests.connectors.bi.small_lake import contracts, loan, pseudonym, small_house, small_tables, table


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one snapshot."""
    home = tmp_path_factory.mktemp("home")
    assert feed(small_house(home)).made
    return home


@pytest.fixture
def no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the gate out where a test makes many snapshots: it is judged in the others."""
    monkeypatch.setattr("connectors.bi.feed.check", lambda *_: {})


def test_the_manifest_names_every_file_with_its_check_sum_and_the_lakes_versions(made: Path) -> None:
    manifest = latest(made / "bi")
    assert manifest is not None
    folder = made / "bi" / manifest.path
    assert differences(folder, manifest) == []
    assert manifest.lake_versions == {"bibliographic": 1, "item": 1, "loan": 1, "patron": 1, "patron_alias": 1}
    assert manifest.rows["fact_loan"] == 11
    assert manifest.measures["lindeby"] == {"loans": 4, "renewals": 3, "returns": 3}
    assert json.loads((folder / "manifest.json").read_bytes()) == json.loads((made / "bi" / "latest.json").read_bytes())
    assert not list((made / "bi").glob(".making-*"))


def test_a_file_that_was_altered_removed_or_added_is_told(made: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    feed(small_house(home, {"loan": table("loan", [loan("1")])}))
    manifest = latest(home / "bi")
    assert manifest is not None
    folder = home / "bi" / manifest.path
    (folder / "dim_date" / "part-0.parquet").unlink()
    (folder / "dictionary.html").write_text("other")
    (folder / "more.csv").touch()
    assert differences(folder, manifest) == [
        "dictionary.html is not the file that was made",
        "dim_date/part-0.parquet is missing",
        "more.csv is not in the manifest",
    ]


def test_an_unchanged_lake_makes_nothing_and_a_new_version_makes_one_snapshot_more(tmp_path: Path, no_gate: None) -> None:
    first = feed(small_house(tmp_path))
    again = feed(small_house(tmp_path))
    assert (first.made, again.made, again.snapshot) == (True, False, first.snapshot)
    assert "unchanged" in str(again)
    assert feed(small_house(tmp_path, version=2)).made
    assert len(snapshots(tmp_path / "bi")) == 2


def test_versions_of_tables_that_the_star_does_not_read_change_nothing(tmp_path: Path, no_gate: None) -> None:
    tables = small_tables()
    assert feed(small_house(tmp_path, tables)).made
    house = small_house(tmp_path, tables)
    more = replace(house.source, at={**house.source.versions(), "fee": 7})  # type: ignore[type-var]
    assert not feed(replace(house, source=more)).made


def test_an_empty_lake_makes_nothing(tmp_path: Path) -> None:
    report = feed(small_house(tmp_path, {}))
    assert (report.made, report.snapshot, str(report)) == (False, None, "The lake is empty: there is nothing to feed.")
    assert not (tmp_path / "bi" / "latest.json").exists()


def test_the_contracts_and_the_star_have_the_same_columns() -> None:
    for name, contract in contracts().items():
        assert [(f.name, f.type) for f in arrow_schema(contract)] == [(f.name, f.type) for f in TABLES[name].schema], name
        assert {column.name for column in contract.columns if column.required} == {f.name for f in TABLES[name].schema if not f.nullable}
        assert contract.handoff == "bi"
        assert not contract.identity


def test_a_row_that_breaks_the_contract_keeps_the_standing_snapshot_the_newest(tmp_path: Path) -> None:
    tables = {"loan": table("loan", [loan("1")])}
    standing = feed(small_house(tmp_path, tables)).snapshot
    broken = {"loan": table("loan", [loan("1"), loan("2", kind="borrowed for ever")])}
    with pytest.raises(Refused, match=r"kind_known: 1 rows.*BI_GATE_CLOSED"):
        feed(small_house(tmp_path, broken, version=2))
    found = latest(tmp_path / "bi")
    assert found is not None
    assert found.snapshot == standing
    assert [manifest.snapshot for manifest in snapshots(tmp_path / "bi")] == [standing]
    assert not list((tmp_path / "bi").glob(".making-*"))


def test_a_missing_contract_is_named(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    without = {name: contract for name, contract in house.contracts.items() if name != "dim_item"}
    with pytest.raises(SettingsError, match="dim_item"):
        feed(replace(house, contracts=without))


def test_a_contract_that_promises_other_columns_is_refused(tmp_path: Path) -> None:
    house = small_house(tmp_path)
    short = replace(house.contracts["dim_title"], columns=house.contracts["dim_title"].columns[:-1])
    with pytest.raises(SettingsError, match="differ in known"):
        feed(replace(house, contracts={**house.contracts, "dim_title": short}))


def test_surplus_and_old_snapshots_go_and_the_newest_stays(tmp_path: Path, no_gate: None) -> None:
    made = [feed(small_house(tmp_path, version=version, keep=3)) for version in range(1, 6)]
    names = [report.snapshot for report in made]
    assert [manifest.snapshot for manifest in snapshots(tmp_path / "bi")] == names[2:]
    assert made[3].pruned == [names[0]]
    assert made[4].pruned == [names[1]]
    assert prune(tmp_path / "bi", keep=7, keep_days=30, now=clock.now() + timedelta(days=31)) == names[2:4]
    assert [manifest.snapshot for manifest in snapshots(tmp_path / "bi")] == [names[4]]


def test_a_second_feed_waits_and_says_so_when_it_waited_too_long(tmp_path: Path, no_gate: None) -> None:
    from connectors.bi.snapshot import only_one

    with only_one(tmp_path / "bi", 1), pytest.raises(Unreachable, match="BI_FEED_BUSY"):
        feed(small_house(tmp_path, lock_wait_s=0.3))


def test_a_month_is_a_folder_whose_rows_are_sorted_with_statistics(made: Path) -> None:
    manifest = latest(made / "bi")
    assert manifest is not None
    for file in manifest.files_of("fact_loan"):
        found = pq.ParquetFile(made / "bi" / manifest.path / file.path)
        days = found.read(["date"])["date"].to_pylist()
        month = file.path.split("/month=")[1][:7]
        assert days == sorted(days)
        assert {f"{day:%Y-%m}" for day in days} == {month}
        for group in range(found.metadata.num_row_groups):
            for column in range(found.metadata.num_columns):
                assert found.metadata.row_group(group).column(column).statistics is not None


def without_data(parquet: bytes) -> bytes:
    """The same file with zeros for data; its footer, which a reader may open to learn the columns, stays."""
    footer = int.from_bytes(parquet[-8:-4], "little") + 8
    return b"PAR1" + bytes(len(parquet) - footer - 4) + parquet[-footer:]


def test_a_filter_by_month_reads_only_that_month(made: Path) -> None:
    manifest = latest(made / "bi")
    assert manifest is not None
    facts = made / "bi" / manifest.path / "fact_loan"
    query = f"SELECT sum(loans) FROM read_parquet('{facts}/**/*.parquet', hive_partitioning = true) WHERE month = '2025-12'"
    plan = duckdb.sql("EXPLAIN ANALYZE " + query).fetchall()[0][1]
    assert "Scanning Files: 1/3" in " ".join(plan.split()) or "Total Files Read: 1" in " ".join(plan.split()), plan
    for other in facts.rglob("month=2026-*/*.parquet"):
        other.with_suffix(".hidden").write_bytes(other.read_bytes())
        other.write_bytes(without_data(other.read_bytes()))
    try:
        assert pd.read_parquet(facts, filters=[("month", "==", "2025-12")])["loans"].sum() == 1
        assert duckdb.sql(query).fetchall() == [(1,)]
        with pytest.raises((OSError, duckdb.Error)):
            duckdb.sql(query.replace("2025-12", "2026-03")).fetchall()
    finally:
        for hidden in facts.rglob("*.hidden"):
            hidden.replace(hidden.with_suffix(".parquet"))


def test_a_filter_by_day_skips_the_row_groups_of_other_days(tmp_path: Path, no_gate: None) -> None:
    many = [loan(str(number), loaned_on=date(2026, 3, 1) + timedelta(days=number % 31)) for number in range(130_000)]
    report = feed(small_house(tmp_path, {"loan": table("loan", many)}))
    assert report.manifest is not None
    (file,) = report.manifest.files_of("fact_loan")
    metadata = pq.read_metadata(tmp_path / "bi" / report.manifest.path / file.path)
    column = next(number for number in range(metadata.num_columns) if metadata.row_group(0).column(number).path_in_schema == "date")
    spans = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
    assert len(spans) >= 3
    assert sum(span.min <= date(2026, 3, 2) <= span.max for span in spans) == 1


def test_pandas_pyarrow_and_duckdb_read_partner_and_month_back_as_columns(made: Path) -> None:
    manifest = latest(made / "bi")
    assert manifest is not None
    found = pd.read_parquet(made / "bi" / manifest.path / "fact_loan")
    assert set(found.columns) == set(TABLES["fact_loan"].schema.names)
    assert sorted(found["month"].astype(str).unique()) == ["2025-12", "2026-03", "2026-04"]
    types = dict(
        duckdb.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{made}/bi/{manifest.path}/fact_loan/**/*.parquet')").fetchall()
    )
    assert types["month"] == types["partner"] == "VARCHAR"


def _feeds(home: Path, first: int, count: int, seen: Path | None = None) -> None:
    """Snapshots one after the other; each once the one before it was read, when `seen` is where its reader notes that."""
    import connectors.bi.feed as feeding

    feeding.check = lambda *_: {}
    for version in range(first, first + count):
        made = str(feed(small_house(home, version=version, keep=3)).snapshot)
        while seen is not None and not (seen / made).exists():
            time.sleep(0.005)


def _killed(home: Path, version: int) -> None:
    """A feed that dies when everything is made and nothing of it is there."""
    import connectors.bi.feed as feeding

    feeding.check = lambda *_: {}
    feeding.appear = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    feed(small_house(home, version=version))


def test_a_reader_never_sees_half_a_snapshot(tmp_path: Path, no_gate: None) -> None:
    feed(small_house(tmp_path, version=0, keep=3))
    root, seen = tmp_path / "bi", tmp_path / "seen"
    seen.mkdir()
    maker = multiprocessing.get_context("spawn").Process(target=_feeds, args=(tmp_path, 1, 5, seen), daemon=True)
    maker.start()
    while maker.is_alive():
        manifest = latest(root)
        assert manifest is not None
        folder = root / manifest.path
        total = duckdb.sql(f"SELECT sum(loans) FROM read_parquet('{folder}/fact_loan/**/*.parquet', hive_partitioning = true)").fetchall()
        assert total == [(5,)]
        assert differences(folder, manifest) == []
        (seen / manifest.snapshot).touch()
        for folder in (root / "snapshots").iterdir():
            assert (folder / "manifest.json").exists() or not folder.exists()
    maker.join()
    assert maker.exitcode == 0
    assert len(list(seen.iterdir())) >= 5


def test_a_feed_that_is_killed_leaves_the_standing_snapshot_and_the_next_one_sweeps_up(tmp_path: Path, no_gate: None) -> None:
    standing = feed(small_house(tmp_path)).snapshot
    root = tmp_path / "bi"
    maker = multiprocessing.get_context("spawn").Process(target=_killed, args=(tmp_path, 2))
    maker.start()
    maker.join()
    assert maker.exitcode == -signal.SIGKILL
    found = latest(root)
    assert found is not None
    assert found.snapshot == standing
    assert list(root.glob(".making-*/*/dim_title"))
    assert feed(small_house(tmp_path, version=2)).made
    assert not list(root.glob(".making-*"))


def test_two_feeds_at_once_make_one_snapshot(tmp_path: Path) -> None:
    makers = [multiprocessing.get_context("spawn").Process(target=_feeds, args=(tmp_path, 1, 1)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0, 0]
    assert len(snapshots(tmp_path / "bi")) == 1


def test_no_file_and_no_message_names_a_pseudonym_of_the_lake(made: Path) -> None:
    for path in (made / "bi").rglob("*"):
        if path.is_file():
            assert pseudonym("ada").encode() not in path.read_bytes(), path
