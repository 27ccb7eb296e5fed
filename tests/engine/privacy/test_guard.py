"""No identity number gets into a table that is not meant for them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from include.engine.contract.model import Column, Contract
from include.engine.privacy.guard import REASON, guard
from include.engine.quarantine.schema import SET_ASIDE
from include.engine.reasons import reason

CPR = "010190-1234"


def contract(*, identity: bool = False) -> Contract:
    key = Column("item_id", pa.string(), True, True, "the item", "public")
    return Contract("item", "1.0.0", "Items", "", "item", (key,), (), "lake", identity=identity)


def items(**columns: list[object]) -> pa.Table:
    count = len(next(iter(columns.values())))
    source = {"_member": [""] * count, "_record": list(range(1, count + 1)), "_offset": [0] * count, "_length": [10] * count}
    return pa.table({**source, "item_id": [str(n) for n in range(count)], **columns})


def test_a_row_with_an_identity_number_in_its_text_is_set_aside_and_its_neighbours_go_on() -> None:
    guarded = guard(items(location=["magasin", f"holdt for {CPR}", None]), contract())
    assert guarded.rows.column("_record").to_pylist() == [1, 3]
    assert guarded.set_aside.schema == SET_ASIDE
    [row] = guarded.set_aside.to_pylist()
    assert (row["record"], row["length"], row["reason"], row["column"]) == (2, 10, REASON, "location")
    assert row["detail"] == "location holds an identity number (cpr)"
    assert reason(REASON).kind == "record"


def test_the_number_itself_is_in_no_message() -> None:
    assert "0101" not in str(guard(items(location=[CPR]), contract()).set_aside.to_pylist())


@pytest.mark.parametrize("column", ["barcode", "item_id", "control_number", "loan_id"])
def test_codes_and_keys_may_look_like_a_number_but_not_like_one_with_its_sign(column: str) -> None:
    rows = pa.table({"item_id": ["1", "2"], column: ["0101901234", CPR]})
    guarded = guard(rows, contract())
    assert guarded.rows.column(column).to_pylist() == ["0101901234"]
    assert guarded.set_aside.column("column").to_pylist() == [column]


def test_lists_and_dictionaries_are_examined() -> None:
    rows = items(
        subjects=[["krig", None], ["fred", f"{CPR}"], None, []],
        branch=pa.array(["hoved", "hoved", CPR, None]).dictionary_encode(),
        notes=pa.array([["x"], ["y"], None, [f"for {CPR}", CPR]], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    )
    guarded = guard(rows, contract())
    assert guarded.rows.num_rows == 1
    assert list(zip(guarded.set_aside["record"].to_pylist(), guarded.set_aside["column"].to_pylist(), strict=True)) == [
        (2, "subjects"),
        (3, "branch"),
        (4, "notes"),
    ]


def test_a_row_is_set_aside_once_with_the_first_column_to_blame() -> None:
    guarded = guard(items(branch=[CPR], location=[CPR]), contract())
    assert guarded.set_aside.column("column").to_pylist() == ["branch"]


def test_the_table_of_identities_is_not_examined() -> None:
    rows = items(location=[CPR])
    assert guard(rows, contract(identity=True)).rows is rows


def test_documents_and_source_columns_and_numbers_are_not_examined() -> None:
    rows = items(marcxml=[f"<x>{CPR}</x>"], price=[101901234])
    assert guard(rows, contract()).rows.num_rows == 1


def test_rows_without_source_columns_can_be_set_aside() -> None:
    [row] = guard(pa.table({"location": [CPR]}), contract()).set_aside.to_pylist()
    assert (row["member"], row["record"], row["offset"], row["length"]) == ("", 0, 0, -1)


def test_an_empty_table_passes() -> None:
    assert (
        guard(
            items(location=[]).cast(
                pa.schema(
                    [
                        ("_member", pa.string()),
                        ("_record", pa.int64()),
                        ("_offset", pa.int64()),
                        ("_length", pa.int32()),
                        ("item_id", pa.string()),
                        ("location", pa.string()),
                    ]
                )
            ),
            contract(),
        ).rows.num_rows
        == 0
    )
