"""What a delivery would do, and the brake on mass deletion."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from include.engine.errors import Held, Refused
from include.engine.lake.plan import Others, Plan, brake, plan, would_delete
from include.engine.lake.table import Lake, exists, open_table
from tests.engine.lake.helpers import COLUMNS, ITEM, contract, deliver, item, rows_of, state


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_a_plan_says_what_publish_then_does_and_changes_nothing(lake: Lake) -> None:
    deliver(lake, "d1", [item(n) for n in range(10)])
    before = open_table(lake, "item").version()
    rows = [item(1, "lost"), item(2), item(11), item(12, placeholder=True)]
    planned = plan(lake, ITEM, "lindeby", rows_of(rows), "full")
    assert planned == Plan(added=2, changed=1, deleted=8, unchanged=1, placeholders=1, rows_before=10)
    assert planned.delete_share == 0.8
    assert open_table(lake, "item").version() == before
    done = deliver(lake, "d2", rows)
    assert (done.added, done.changed, done.deleted, done.unchanged, done.placeholders) == (2, 1, 8, 1, 1)


def test_a_plan_for_a_table_that_is_not_there_makes_none(lake: Lake) -> None:
    planned = plan(lake, ITEM, "lindeby", rows_of([item(1), item(2, placeholder=True)]), "full")
    assert (planned.added, planned.placeholders, planned.delete_share) == (2, 1, 0.0)
    assert not exists(lake, "item")
    with pytest.raises(Refused, match="repeat the key"):
        plan(lake, ITEM, "lindeby", rows_of([item(1), item(1)]), "full")


def test_a_plan_looks_through_the_eyes_of_the_contracts_new_version(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    wider = contract({**COLUMNS, "loan_count": pa.int64(), "price": pa.decimal128(12, 2)}, version="1.1.0")
    rows = rows_of([item(1), item(2, loans=2**40)], wider)
    assert (plan(lake, wider, "lindeby", rows, "full").unchanged, open_table(lake, "item").version()) == (1, 1)


def test_the_brake_holds_an_export_that_would_delete_more_than_the_contract_allows(lake: Lake) -> None:
    deliver(lake, "d1", [item(n) for n in range(10)])
    brake(plan(lake, ITEM, "lindeby", rows_of([item(n) for n in range(8)]), "full"), ITEM, "lindeby")
    with pytest.raises(Held, match=r"3 of 10 rows \(30%; 20%") as held:
        brake(plan(lake, ITEM, "lindeby", rows_of([item(n) for n in range(7)]), "full"), ITEM, "lindeby")
    assert held.value.code == "MASS_DELETION"


def test_placeholders_count_neither_as_rows_nor_as_deletions(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), *(item(n, placeholder=True) for n in range(2, 50))])
    planned = plan(lake, ITEM, "lindeby", rows_of([item(1)]), "full")
    assert (planned.rows_before, planned.deleted) == (1, 0)


def test_a_full_export_neither_deletes_nor_counts_rows_of_another_flow(lake: Lake) -> None:
    deliver(lake, "own", [item(n) for n in range(10)])
    deliver(lake, "other", [item(n) for n in range(20, 60)], "delta")
    others = Others(("other",))
    planned = plan(lake, ITEM, "lindeby", rows_of([item(n) for n in range(7)]), "full", others=others)
    assert (planned.deleted, planned.rows_before, planned.unchanged) == (3, 10, 7)
    named = would_delete(lake, ITEM, "lindeby", rows_of([item(n) for n in range(7)]), others=others)
    assert named.column("item_id").to_pylist() == ["i7", "i8", "i9"]
    done = deliver(lake, "own again", [item(n) for n in range(7)], others=lambda: others)
    assert (done.deleted, set(state(lake))) == (3, {f"i{n}" for n in [*range(7), *range(20, 60)]})


def test_an_export_takes_over_a_row_of_another_flow_that_it_names(lake: Lake) -> None:
    deliver(lake, "other", [item(1, "theirs"), item(2, "theirs")], "delta")
    assert deliver(lake, "own", [item(1, "ours")], others=lambda: Others(("other",))).changed == 1
    assert deliver(lake, "own again", [], others=lambda: Others(("other",))).deleted == 1
    assert state(lake) == {"i2": ("theirs", 0)}


def test_rows_of_flows_that_win_are_left_as_they_are(lake: Lake) -> None:
    deliver(lake, "own", [item(1, "ours"), item(2, "ours")])
    win = Others(("own",), win=True)
    keys = pa.table({"item_id": ["i2", "i3"]})
    done = deliver(lake, "fetched", [item(1, "theirs"), item(3, "theirs")], "delta", delete_keys=keys, others=lambda: win)
    assert (done.added, done.changed, done.unchanged, done.deleted) == (1, 0, 1, 0)
    assert state(lake) == {"i1": ("ours", 0), "i2": ("ours", 0), "i3": ("theirs", 0)}
