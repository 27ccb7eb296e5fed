"""Reading the lake, in Arrow and in DuckDB, at a version that stays."""

from __future__ import annotations

from pathlib import Path

import pyarrow.dataset as ds
import pytest

from include.engine.errors import WrongState
from include.engine.lake.query import connect, tables
from include.engine.lake.read import batches, keys, newest, read
from include.engine.lake.table import Lake
from include.engine.ledger import manifests
from include.engine.ledger.database import Ledger
from tests.engine.lake.helpers import contract, deliver, item, state


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    deliver(lake, "d1", [item(1), item(2, "lost")])
    deliver(lake, "d2", [item(1), item(3)])
    deliver(lake, "a1", [item(9)], partner="almvik")
    return lake


def test_rows_are_read_by_partner_column_condition_and_version(lake: Lake) -> None:
    assert sorted(read(lake, "item", columns=["partner", "item_id"]).to_pydict()["item_id"]) == ["i1", "i3", "i9"]
    lost = read(lake, "item", partner="lindeby", columns=["item_id"], version=1, where=ds.field("status") == "lost")
    assert lost.to_pydict() == {"item_id": ["i2"]}
    assert read(lake, "item", where=ds.field("item_id") == "i9")["partner"].to_pylist() == ["almvik"]
    assert keys(lake, "item", "almvik").to_pydict() == {"item_id": ["i9"]}


def test_a_stream_of_batches_has_the_same_rows(lake: Lake) -> None:
    assert sum(batch.num_rows for batch in batches(lake, "item", partner="lindeby")) == 2


def test_a_table_that_nobody_delivered_to_is_said_to_be_missing(lake: Lake) -> None:
    assert newest(lake, "loan") is None
    assert newest(lake, "item") == 3
    with pytest.raises(WrongState, match="no table loan") as missing:
        read(lake, "loan")
    assert missing.value.code == "LAKE_TABLE_MISSING"
    with pytest.raises(WrongState) as gone:
        read(lake, "item", version=77)
    assert gone.value.code == "LAKE_HISTORY_GONE"


def test_duckdb_sees_the_tables_by_name_with_filters_and_joins(lake: Lake) -> None:
    loan = contract(id="loan", table="loan")
    deliver(lake, "l1", [item(1, "on_loan")], of=loan)
    assert tables(lake) == ["item", "loan"]
    with connect(lake) as engine:
        query = "SELECT i.item_id, l.status FROM item i JOIN loan l USING (partner, item_id) WHERE i.partner = 'lindeby'"
        assert engine.execute(query).fetchall() == [("i1", "on_loan")]
    with connect(lake, ["item", "nothing_yet"], {"item": 1}) as engine:
        assert engine.execute("SELECT count(*) FROM item").fetchone() == (2,)


def test_a_lake_that_is_not_there_has_no_tables(tmp_path: Path) -> None:
    assert tables(Lake(tmp_path / "nowhere")) == []


def test_a_ledgers_manifest_pins_what_readers_see(lake: Lake, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    pinned = Lake(lake.root, ledger=ledger)
    assert state(pinned, version=None) == {}  # nothing pinned yet
    with connect(pinned) as engine:
        assert engine.execute("SELECT count(*) FROM item").fetchone() == (0,)
    manifests.pin(ledger, None, {"item": manifests.Versions(before=0, after=1)})
    assert set(state(pinned, version=None)) == {"i1", "i2"}
    assert set(state(pinned, version="newest")) == {"i1", "i3"}
    with connect(pinned) as engine:
        assert engine.execute("SELECT count(*) FROM item").fetchone() == (2,)
