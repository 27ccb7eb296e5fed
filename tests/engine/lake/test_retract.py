"""Taking a delivery out of a table again."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.engine.errors import StaleToken, WrongState
from include.engine.lake.maintenance import compact, vacuum
from include.engine.lake.read import read
from include.engine.lake.retract import retract
from include.engine.lake.table import Lake, open_table
from tests.engine.lake.helpers import contract, deliver, item, state


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def whole(lake: Lake) -> list[dict[str, object]]:
    return sorted(read(lake, "item", partner="lindeby").to_pylist(), key=lambda row: row["item_id"])


def test_the_latest_delivery_is_undone_to_the_byte(lake: Lake) -> None:
    deliver(lake, "d1", [item(n) for n in range(6)])
    before = whole(lake)
    deliver(lake, "d2", [item(0), item(1, "lost"), item(2, "lost"), item(9)])
    deliver(lake, "a1", [item(1)], partner="almvik")
    done = retract(lake, "item", "d2")
    assert (done.removed, done.restored, done.kept, done.recorded) == (1, 2 + 3, 0, False)
    assert whole(lake) == before
    assert state(lake, "almvik") == {"i1": ("available", 0)}


def test_what_later_deliveries_changed_is_kept_and_counted(lake: Lake) -> None:
    deliver(lake, "d1", [item(n) for n in range(5)])
    deliver(lake, "d2", [item(0, "lost"), item(1, "lost"), item(7), item(8)])  # 2, 3 and 4 go
    deliver(lake, "d3", [item(1, "withdrawn"), item(8, "on_loan"), item(4, "on_hold")], "delta")
    done = retract(lake, "item", "d2")
    assert state(lake) == {
        "i0": ("available", 0),  # as before d2
        "i1": ("withdrawn", 0),  # d3's
        "i2": ("available", 0),  # back
        "i3": ("available", 0),  # back
        "i4": ("on_hold", 0),  # d3 brought it anew
        "i8": ("on_loan", 0),  # d2 added it, d3 changed it
    }
    assert (done.removed, done.restored, done.kept) == (1, 3, 3)


def test_a_row_that_came_back_later_and_was_deleted_then_stays_deleted(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    deliver(lake, "d2", [item(1)])
    deliver(lake, "d3", [item(1), item(2)])
    deliver(lake, "d4", [item(1)])
    deliver(lake, "a1", [item(2)], partner="almvik")
    done = retract(lake, "item", "d2")
    assert (done.restored, done.kept) == (0, 1)
    assert set(state(lake)) == {"i1"}


def test_the_first_delivery_of_all_can_be_retracted(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    assert retract(lake, "item", "d1").removed == 2
    assert state(lake) == {}


def test_retracting_twice_is_once_and_an_unknown_delivery_is_nothing(lake: Lake) -> None:
    deliver(lake, "d1", [item(1)])
    deliver(lake, "d2", [item(2)])
    first = retract(lake, "item", "d2")
    deliver(lake, "d3", [item(3)])
    again = retract(lake, "item", "d2")
    assert again.recorded
    assert (again.removed, again.restored, again.version_after) == (first.removed, first.restored, first.version_after)
    assert set(state(lake)) == {"i3"}
    nothing = retract(lake, "item", "never")
    assert nothing.version_before == nothing.version_after
    with pytest.raises(WrongState, match="no table loan"):
        retract(lake, "loan", "d2")


def test_deliveries_retracted_newest_first_lead_back_to_the_start(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    before = whole(lake)
    deliver(lake, "d2", [item(1, "lost"), item(3)])
    deliver(lake, "d3", [item(1, "on_loan"), item(3, "lost"), item(4)])
    retract(lake, "item", "d3")
    assert state(lake) == {"i1": ("lost", 0), "i3": ("available", 0)}
    retract(lake, "item", "d2")
    assert whole(lake) == before


def test_a_retraction_works_after_compaction_and_is_fenced(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    deliver(lake, "d2", [item(3)], "append")
    compact(lake, "item")

    def stale() -> None:
        raise StaleToken("a newer try has taken over.")

    with pytest.raises(StaleToken):
        retract(lake, "item", "d2", stale)
    retract(lake, "item", "d2")
    assert set(state(lake)) == {"i1", "i2"}


def test_when_the_state_before_is_gone_it_says_so(lake: Lake) -> None:
    deliver(lake, "d1", [item(1), item(2)])
    deliver(lake, "d2", [item(1, "lost")])
    vacuum(lake, "item", keep_days=0, orphan_hours=0)
    version = open_table(lake, "item").version()
    with pytest.raises(WrongState, match="before d2 is no longer kept") as gone:
        retract(lake, "item", "d2")
    assert gone.value.code == "LAKE_HISTORY_GONE"
    assert open_table(lake, "item").version() == version


def test_a_delivery_is_retracted_after_its_table_took_a_new_version_of_the_contract(lake: Lake) -> None:
    import pyarrow as pa

    old = contract({"item_id": pa.string(), "loan_count": pa.int16()})
    newer = contract({"item_id": pa.string(), "loan_count": pa.int32(), "note": pa.string()}, version="1.1.0")
    deliver(lake, "d1", [{"item_id": "1", "loan_count": 3}], of=old)
    deliver(lake, "d2", [{"item_id": "1", "loan_count": 70_000, "note": "x"}], of=newer)
    retract(lake, "item", "d2")
    assert read(lake, "item", columns=["loan_count", "note"]).to_pylist() == [{"loan_count": 3, "note": None}]
