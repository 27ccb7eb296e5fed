"""Publishing deliveries into a lake table."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from include.engine.errors import Refused, StaleToken
from include.engine.lake import commit as commits
from include.engine.lake import files
from include.engine.lake.publish import publish
from include.engine.lake.read import read
from include.engine.lake.table import Lake, exists, open_table
from tests.engine.lake.helpers import ITEM, contract, deliver, item, keep_going, rows_of, state


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def data_files(lake: Lake) -> list[Path]:
    return list(Path(lake.uri("item")).glob("partner=*/*.parquet"))


def test_a_full_export_adds_changes_deletes_and_leaves(lake: Lake) -> None:
    first = deliver(lake, "d1", [item(1), item(2), item(3), item(4)])
    assert (first.added, first.changed, first.deleted, first.unchanged) == (4, 0, 0, 0)
    second = deliver(lake, "d2", [item(1), item(2, "on_loan"), item(5)])
    assert (second.added, second.changed, second.deleted, second.unchanged) == (1, 1, 2, 1)
    assert (second.version_before, second.version_after) == (first.version_after, first.version_after + 1)
    assert state(lake) == {"i1": ("available", 0), "i2": ("on_loan", 0), "i5": ("available", 0)}
    rows = {row["item_id"]: row for row in read(lake, "item").to_pylist()}
    assert {key: row["_delivery"] for key, row in rows.items()} == {"i1": "d1", "i2": "d2", "i5": "d2"}
    assert rows["i5"]["_record"] == 5
    assert all(row["partner"] == "lindeby" for row in rows.values())


def test_readers_see_the_whole_delivery_or_nothing_of_it(lake: Lake) -> None:
    first = deliver(lake, "d1", [item(n) for n in range(10)])
    second = deliver(lake, "d2", [item(n, "lost") for n in range(10)])
    assert {status for status, _ in state(lake, version=first.version_after).values()} == {"available"}
    assert {status for status, _ in state(lake, version=second.version_after).values()} == {"lost"}


def test_a_delta_changes_what_it_names_and_deletes_by_key(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2), item(3)])
    gone = pa.table({"item_id": ["i2", "i2", "i9", "i3"]})
    done = deliver(lake, "d2", [item(3, "on_loan"), item(4)], "delta", delete_keys=gone)
    assert (done.added, done.changed, done.deleted, done.unchanged) == (1, 1, 1, 0)  # i3 is named both ways: what is delivered stays
    assert state(lake) == {"i1": ("available", 0), "i3": ("on_loan", 0), "i4": ("available", 0)}


def test_appended_events_that_overlap_with_earlier_ones_are_not_there_twice(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)], "append")
    done = deliver(lake, "d2", [item(2), item(3)], "append")
    assert (done.added, done.changed, done.deleted, done.unchanged) == (1, 0, 0, 1)
    assert set(state(lake)) == {"i1", "i2", "i3"}


def test_a_placeholder_is_kept_by_exports_and_completed_by_the_real_row(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    named = deliver(lake, "loan1", [item(2, "unknown", placeholder=True), item(7, "unknown", placeholder=True)], "append")
    assert (named.added, named.placeholders, named.changed, named.unchanged) == (1, 1, 0, 1)
    assert state(lake)["i2"] == ("available", 0)
    assert deliver(lake, "d2", [item(1), item(2)]).deleted == 0
    completed = deliver(lake, "d3", [item(1), item(2), item(7, "on_loan")])
    assert (completed.added, completed.changed, completed.deleted) == (0, 1, 0)
    assert state(lake)["i7"] == ("on_loan", 0)


def test_a_table_without_placeholders_needs_no_such_column(lake: Lake) -> None:
    holding = contract({"holding_id": pa.string(), "statement": pa.string()}, key=("holding_id",), id="holding", table="holding")
    deliver(lake, "d1", [{"holding_id": "h1", "statement": "1-4"}], of=holding)
    done = deliver(lake, "d2", [{"holding_id": "h1", "statement": "1-5"}], of=holding)
    assert (done.changed, done.deleted) == (1, 0)


def test_another_partners_rows_are_left_alone(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    deliver(lake, "d2", [item(1, "lost")], partner="almvik")
    deliver(lake, "d3", [item(3)])
    assert state(lake, "almvik") == {"i1": ("lost", 0)}
    assert set(state(lake)) == {"i3"}


def test_every_type_of_the_contracts_comes_back_as_it_went_in(lake: Lake) -> None:
    kinds = {
        "item_id": pa.string(),
        "isbn": pa.list_(pa.string()),
        "price": pa.decimal128(12, 2),
        "at": pa.timestamp("us", "UTC"),
        "on": pa.date32(),
        "year": pa.int16(),
        "count": pa.int32(),
        "gone": pa.bool_(),
    }
    full = {"isbn": ["a", None, ""], "price": Decimal("-1.05"), "at": datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC), "on": date(1, 1, 1)}
    rows = [{"item_id": "1", "year": -5, "count": 7, "gone": True, **full}, {"item_id": "2", "isbn": []}, {"item_id": "3"}]
    of = contract(kinds)
    deliver(lake, "d1", rows, of=of)
    assert deliver(lake, "d2", rows, of=of).unchanged == 3
    table = read(lake, "item").sort_by("item_id")
    assert table.schema.names == ["partner", *kinds, "_delivery", "_record", "_row_hash"]
    assert {name: table.schema.field(name).type for name in kinds} == kinds
    assert table.select(list(kinds)).to_pylist() == [{**dict.fromkeys(kinds), **row} for row in rows]


def test_dictionaries_and_wider_types_are_taken_as_the_contract_has_them(lake: Lake) -> None:
    batch = pa.record_batch({"item_id": pa.array(["a"]).dictionary_encode(), "loan_count": pa.array([3], pa.int64()), "extra": ["x"]})
    publish(lake, ITEM, "lindeby", "d1", lambda: pa.RecordBatchReader.from_batches(batch.schema, [batch]), "full", keep_going)
    assert read(lake, "item", columns=["item_id", "loan_count", "_record"]).to_pylist() == [
        {"item_id": "a", "loan_count": 3, "_record": None}
    ]


def test_publishing_again_returns_the_recorded_figures(lake: Lake) -> None:
    first = deliver(lake, "d1", [item(1), item(2)])
    deliver(lake, "d2", [item(2), item(3)])
    again = deliver(lake, "d1", [item(1), item(2)])
    assert again.recorded
    assert (again.added, again.version_before, again.version_after) == (2, first.version_before, first.version_after)
    assert set(state(lake)) == {"i2", "i3"}


def test_the_record_of_a_publish_outlives_checkpoints(lake: Lake) -> None:
    deliver(lake, "d1", [item(1)])
    for number in range(3):
        deliver(lake, f"a{number}", [item(1)], partner="almvik")
    open_table(lake, "item").create_checkpoint()
    assert deliver(lake, "d1", [item(1)]).recorded


def test_a_delivery_without_rows_empties_the_partners_table_and_can_be_the_first(lake: Lake) -> None:
    assert deliver(lake, "d0", []).added == 0
    deliver(lake, "d1", [item(1)])
    assert deliver(lake, "d2", []).deleted == 1
    assert state(lake) == {}


class Fence:
    """Lets the first `passes` checks through."""

    def __init__(self, passes: int) -> None:
        self.passes = passes

    def __call__(self) -> None:
        self.passes -= 1
        if self.passes < 0:
            raise StaleToken("a newer try has taken over.")


@pytest.mark.parametrize("passes", [0, 1])
def test_a_stale_try_leaves_the_table_and_its_folder_as_they_were(lake: Lake, passes: int) -> None:
    before = deliver(lake, "d1", [item(1)])
    left = sorted(data_files(lake))
    with pytest.raises(StaleToken):
        deliver(lake, "d2", [item(1, "lost")], check=Fence(passes))
    assert open_table(lake, "item").version() == before.version_after
    assert sorted(data_files(lake)) == left


def test_the_fence_is_asked_last_before_the_commit(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real = commits._commit
    monkeypatch.setattr(commits, "_commit", lambda *args: (order.append("commit"), real(*args)))
    publish(lake, ITEM, "lindeby", "d1", rows_of([item(1)], before_end=lambda: order.append("rows")), "full", lambda: order.append("check"))
    assert order == ["check", "rows", "check", "commit"]


def test_two_tries_at_once_make_one_commit_and_say_the_same(lake: Lake) -> None:
    deliver(lake, "d0", [item(1), item(2)])
    both_have_read = threading.Barrier(2, timeout=30)
    rounds = iter([both_have_read.wait] * 2)

    def meet() -> None:
        if (wait := next(rounds, None)) is not None:
            wait()

    def attempt(_: int) -> Any:
        return publish(lake, ITEM, "lindeby", "d1", rows_of([item(2, "lost"), item(3)], before_end=meet), "full", keep_going)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(attempt, range(2))
    assert {one.recorded, other.recorded} == {True, False}
    assert (one.version_after, one.added, one.changed, one.deleted) == (other.version_after, other.added, other.changed, other.deleted)
    named = {
        line
        for file in Path(lake.uri("item"), "_delta_log").glob("*.json")
        for line in file.read_text().splitlines()
        if '"bindery:d1"' in line
    }
    assert len([line for line in named if "commitInfo" in line]) == 1
    assert {path.name for path in data_files(lake)} >= {Path(uri).name for uri in open_table(lake, "item").file_uris()}
    assert state(lake) == {"i2": ("lost", 0), "i3": ("available", 0)}


def test_a_publish_that_met_another_of_its_partner_starts_again_from_the_new_state(lake: Lake) -> None:
    deliver(lake, "d0", [item(1), item(2)])
    others: list[Callable[[], Any]] = [lambda: deliver(lake, "d1", [item(2, "lost"), item(3)])]
    done = publish(
        lake, ITEM, "lindeby", "d2", rows_of([item(2), item(4)], before_end=lambda: others.pop()() if others else None), "full", keep_going
    )
    assert (done.added, done.changed, done.deleted) == (1, 1, 1)  # against what d1 left, not what d2 first saw
    assert set(state(lake)) == {"i2", "i4"}


def test_a_publish_that_met_another_partner_only_commits_again(lake: Lake) -> None:
    deliver(lake, "d0", [item(1), item(2)])
    deliver(lake, "a0", [item(1), item(2)], partner="almvik")
    read_through: list[int] = []

    def meet() -> None:
        read_through.append(1)
        if len(read_through) == 2:  # read for the comparison, and again for writing
            deliver(lake, "a1", [item(2, "lost")], partner="almvik")

    done = publish(lake, ITEM, "lindeby", "d1", rows_of([item(2, "lost"), item(3)], before_end=meet), "full", keep_going)
    assert (done.added, done.changed, done.deleted, len(read_through)) == (1, 1, 1, 2)
    assert state(lake, "almvik") == {"i2": ("lost", 0)}
    assert set(state(lake)) == {"i2", "i3"}


def test_24_partners_publish_to_one_table_at_once(lake: Lake) -> None:
    def attempt(number: int) -> int:
        partner = f"partner{number}"
        deliver(lake, f"{partner}a", [item(1), item(2)], partner=partner)
        return deliver(lake, f"{partner}b", [item(2), item(3)], partner=partner).version_after

    with ThreadPoolExecutor(24) as pool:
        versions = list(pool.map(attempt, range(24)))
    assert len(set(versions)) == 24
    assert open_table(lake, "item").version() == 48  # and the table was made once
    assert all(set(state(lake, f"partner{number}")) == {"i2", "i3"} for number in range(24))


def test_rows_that_break_what_the_gate_promised_are_refused_without_showing_a_value(lake: Lake) -> None:
    with pytest.raises(Refused, match="1 rows repeat the key") as twice:
        deliver(lake, "d1", [item(1), item(2), item(1)])
    with pytest.raises(Refused, match="item_id is required"):
        deliver(lake, "d1", [{"item_id": None}])
    with pytest.raises(Refused, match="status is required"):
        publish(lake, contract(required=("status",)), "lindeby", "d1", without("status"), "full", keep_going)
    foreign = pa.record_batch({"partner": ["almvik"], "item_id": ["i1"]})
    with pytest.raises(Refused, match="another partner"):
        publish(lake, ITEM, "lindeby", "d1", lambda: pa.RecordBatchReader.from_batches(foreign.schema, [foreign]), "full", keep_going)
    assert twice.value.code == "LAKE_KEY_TWICE"
    assert "i1" not in str(twice.value)
    assert state(lake) == {}
    assert data_files(lake) == []


def without(column: str) -> Callable[[], pa.RecordBatchReader]:
    whole = rows_of([item(1)])().read_all().drop_columns(column)
    return lambda: pa.RecordBatchReader.from_batches(whole.schema, whole.to_batches())


def test_rows_that_differ_when_read_again_are_an_error(lake: Lake) -> None:
    deliver(lake, "d0", [item(1)])
    for second in ([item(2, "lost")], [item(2), item(3)], []):
        readings = [rows_of(second), rows_of([item(2)])]
        with pytest.raises(ValueError, match="same each time"):
            publish(lake, ITEM, "lindeby", "d1", lambda readings=readings: readings.pop()(), "full", keep_going)  # type: ignore[misc]
    assert set(state(lake)) == {"i1"}


def test_a_partner_that_needs_escaping_in_a_path_is_refused(lake: Lake) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        deliver(lake, "d1", [item(1)], partner="../etc")


def test_large_deliveries_are_cut_into_files_and_only_touched_files_are_written_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_ROWS", 10)
    deliver(lake, "d1", [item(n) for n in range(25)])
    handle = open_table(lake, "item")
    before = {file.path: file.rows for file in files.files_of(handle)}
    assert sorted(before.values()) == [5, 10, 10]
    deliver(lake, "d2", [item(24, "lost")], "delta")
    after = {file.path for file in files.files_of(open_table(lake, "item"))}
    assert len(set(before) & after) == 2
    assert len(state(lake)) == 25


def test_the_log_holds_counts_and_no_value_of_a_row(lake: Lake) -> None:
    deliver(lake, "d1", [item(1, "secretvalue")])
    deliver(lake, "d2", [item(2, "secretvalue")])
    DeltaTable(lake.uri("item")).create_checkpoint()
    log = [path for path in Path(lake.uri("item"), "_delta_log").iterdir() if path.is_file()]
    assert not [path for path in log if b"secretvalue" in path.read_bytes() or b'"i1"' in path.read_bytes()]
    adds = [
        json.loads(line)["add"] for path in log if path.suffix == ".json" and path.stem.isdigit() for line in path.open() if '"add"' in line
    ]
    assert {add["stats"] for add in adds} == {'{"numRecords": 1}'}


def test_other_readers_of_delta_see_the_same_rows(lake: Lake) -> None:
    import polars

    deliver(lake, "d1", [item(1), item(2)])
    deliver(lake, "d2", [item(2, "lost")])
    assert polars.scan_delta(lake.uri("item")).select("partner", "item_id", "status").collect().rows() == [("lindeby", "i2", "lost")]


def test_importing_the_lake_makes_no_table_and_asking_for_one_neither(lake: Lake) -> None:
    assert not exists(lake, "item")
    assert not Path(lake.root).exists()
