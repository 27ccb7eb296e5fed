"""A contract's new version and the table that is there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.engine.errors import SettingsError
from include.engine.lake.migrate import ensure
from include.engine.lake.read import read
from include.engine.lake.table import Lake, open_table
from tests.engine.lake.helpers import COLUMNS, ITEM, contract, deliver, item, state


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(f"file://{tmp_path}/lake")
    deliver(lake, "d1", [item(1, loans=5), item(2)])
    deliver(lake, "a1", [item(1)], partner="almvik")
    return lake


def columns(lake: Lake) -> dict[str, pa.DataType]:
    schema = read(lake, "item").schema
    return dict(zip(schema.names, schema.types, strict=True))


def test_new_columns_and_wider_types_are_taken_over_and_nothing_looks_changed(lake: Lake) -> None:
    newer = contract({"price": pa.decimal128(12, 2), **COLUMNS, "loan_count": pa.int64()}, version="1.1.0")
    done = deliver(lake, "d2", [item(1, loans=5), {**item(2), "price": 3}], of=newer)
    assert (done.changed, done.unchanged) == (1, 1)
    assert columns(lake)["loan_count"] == pa.int64()
    assert columns(lake)["price"] == pa.decimal128(12, 2)
    assert state(lake) == {"i1": ("available", 5), "i2": ("available", 0)}
    assert state(lake, "almvik") == {"i1": ("available", 0)}
    assert open_table(lake, "item").metadata().configuration["bindery.contract.version"] == "1.1.0"


def test_a_new_column_alone_writes_no_file_again(lake: Lake) -> None:
    before = open_table(lake, "item").file_uris()
    ensure(lake, contract({**COLUMNS, "note": pa.string()}, version="1.1.0"))
    assert sorted(open_table(lake, "item").file_uris()) == sorted(before)
    assert read(lake, "item")["note"].null_count == 3


def test_what_fits_already_commits_nothing(lake: Lake) -> None:
    before = open_table(lake, "item").version()
    ensure(lake, ITEM)
    assert open_table(lake, "item").version() == before
    ensure(lake, contract(version="1.0.1"))
    assert open_table(lake, "item").metadata().configuration["bindery.contract.version"] == "1.0.1"


def test_an_older_version_of_the_contract_still_publishes(lake: Lake) -> None:
    newer = contract({**COLUMNS, "loan_count": pa.int64(), "note": pa.string()}, version="1.1.0")
    deliver(lake, "d2", [item(1), item(2)], of=newer)
    assert deliver(lake, "d3", [item(1), item(2), item(3)]).added == 1
    assert columns(lake)["loan_count"] == pa.int64()
    assert open_table(lake, "item").metadata().configuration["bindery.contract.version"] == "1.1.0"


def test_eight_processes_that_migrate_at_once_all_go_on(lake: Lake) -> None:
    newer = contract({**COLUMNS, "loan_count": pa.int64(), "note": pa.string()}, version="1.1.0")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: deliver(lake, f"p{n}", [item(n)], partner=f"p{n}", of=newer), range(8)))
    assert len(read(lake, "item")) == 3 + 8
    assert columns(lake)["loan_count"] == pa.int64()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"columns": {**COLUMNS, "loan_count": pa.string()}}, "loan_count was int32 and would be string"),
        ({"columns": {**COLUMNS, "loan_count": pa.int16()}}, "loan_count was int32 and would be int16"),
        ({"columns": {k: v for k, v in COLUMNS.items() if k != "status"}}, "status is no longer in it"),
        ({"columns": {**COLUMNS, "branch": pa.string()}, "required": ("branch",)}, "branch is new and required"),
        ({"key": ("item_id", "status")}, r"the key was \(item_id\) and would be \(item_id,status\)"),
        ({"key": ()}, "names no key"),
        ({"columns": {**COLUMNS, "_delivery": pa.string()}}, "_delivery takes a name"),
    ],
)
def test_what_cannot_be_taken_over_is_refused_with_the_reason(lake: Lake, changes: dict[str, Any], why: str) -> None:
    before = open_table(lake, "item").version()
    with pytest.raises(SettingsError, match=why) as refused:
        ensure(lake, contract(**{"version": "2.0.0", **changes}))
    assert refused.value.code == "CONTRACT_MIGRATION"
    assert open_table(lake, "item").version() == before


def test_float_and_decimal_columns_widen(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    old = {"item_id": pa.string(), "weight": pa.float32(), "price": pa.decimal128(6, 2)}
    deliver(lake, "d1", [{"item_id": "1", "weight": 0.5, "price": 1}], of=contract(old))
    newer = contract({"item_id": pa.string(), "weight": pa.float64(), "price": pa.decimal128(12, 2)}, version="2.0.0")
    assert deliver(lake, "d2", [{"item_id": "1", "weight": 0.5, "price": 1}], of=newer).unchanged == 1
