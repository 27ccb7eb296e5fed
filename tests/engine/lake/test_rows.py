"""Row hashes and the comparison of two sets of rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engine.lake.rows import compare, repeated, row_hash

ROW = {
    "title": "Gæs i tåge",
    "isbn": ["978-1", "978-2"],
    "year": 1999,
    "price": Decimal("12.50"),
    "weight": 1.5,
    "on": date(2026, 1, 2),
    "at": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "gone": False,
    "raw": b"\x00\x1f",
}
SCHEMA = pa.schema(
    {
        "title": pa.string(),
        "isbn": pa.list_(pa.string()),
        "year": pa.int16(),
        "price": pa.decimal128(12, 2),
        "weight": pa.float64(),
        "on": pa.date32(),
        "at": pa.timestamp("us", "UTC"),
        "gone": pa.bool_(),
        "raw": pa.binary(),
    }
)


def hashes(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> list[int]:
    found: list[int] = row_hash(pa.Table.from_pylist(rows, schema=schema), schema.names).to_pylist()
    return found


def test_the_hash_is_the_same_on_every_machine_and_in_every_version() -> None:
    # The number is in the lake: if it changes, every full export looks changed.
    assert hashes([ROW]) == [5622339375947986479]


def test_every_column_counts() -> None:
    other = {
        "title": "Gæs i tågen",
        "isbn": ["978-1"],
        "year": 2000,
        "price": Decimal("12.51"),
        "weight": 1.25,
        "on": date(2026, 1, 3),
        "at": datetime(2026, 1, 2, 3, 4, 5, 7, tzinfo=UTC),
        "gone": True,
        "raw": b"\x00",
    }
    variants = [ROW, *({**ROW, name: value} for name, value in other.items()), *({**ROW, name: None} for name in other)]
    assert len(set(hashes(variants))) == len(variants)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "ab", "b": "c"}, {"a": "a", "b": "bc"}),
        ({"a": "", "b": None}, {"a": None, "b": ""}),
        ({"a": "x", "b": None}, {"a": None, "b": "x"}),
        ({"a": "x", "b": "x"}, {"a": None, "b": None}),
    ],
)
def test_text_that_moves_from_column_to_column_is_a_change(one: dict[str, Any], other: dict[str, Any]) -> None:
    schema = pa.schema({"a": pa.string(), "b": pa.string()})
    assert len(set(hashes([one, other], schema))) == 2


def test_lists_that_read_alike_when_joined_are_told_apart() -> None:
    lists: list[Any] = [None, [], [""], [None], ["", ""], ["ab"], ["a", "b"], ["b", "a"], ["1:a"], ["1", "a"]]
    schema = pa.schema({"subjects": pa.list_(pa.string())})
    assert len(set(hashes([{"subjects": value} for value in lists], schema))) == len(lists)


def test_batches_slices_column_order_and_dictionaries_make_no_difference() -> None:
    rows = [{**ROW, "year": year, "isbn": [str(year)] * (year % 3)} for year in range(1000, 1400)]
    whole = pa.Table.from_pylist(rows, schema=SCHEMA)
    expected = row_hash(whole, SCHEMA.names)
    chunked = pa.Table.from_batches(whole.to_batches(max_chunksize=7))
    assert row_hash(chunked, SCHEMA.names[::-1]) == expected
    assert row_hash(whole.slice(33, 50), SCHEMA.names) == expected.slice(33, 50)
    encoded = whole.set_column(0, "title", whole["title"].dictionary_encode())
    assert row_hash(encoded, SCHEMA.names) == expected


def test_an_empty_table_has_no_hashes() -> None:
    assert len(row_hash(SCHEMA.empty_table(), SCHEMA.names)) == 0


def test_a_new_column_without_values_and_a_wider_type_leave_the_hash_alone() -> None:
    wider = SCHEMA.set(2, pa.field("year", pa.int64())).set(3, pa.field("price", pa.decimal128(30, 2))).append(pa.field("new", pa.string()))
    untyped = wider.append(pa.field("unknown", pa.null()))
    assert hashes([ROW], wider) == hashes([ROW], untyped) == hashes([ROW])


def test_both_zeros_are_one_and_a_missing_number_is_none_of_them() -> None:
    schema = pa.schema({"weight": pa.float32()})
    plus, minus, nothing = hashes([{"weight": 0.0}, {"weight": -0.0}, {"weight": None}], schema)
    assert plus == minus != nothing


def test_a_nested_type_is_refused() -> None:
    with pytest.raises(TypeError, match="struct"):
        row_hash(pa.table({"a": [{"b": 1}]}), ["a"])


def side(content: dict[str, int]) -> pa.Table:
    return pa.table({"key": pa.array(content, pa.string()), "_row_hash": pa.array(content.values(), pa.int64())})


contents = st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=30)


@settings(max_examples=60, deadline=None)
@given(contents, contents)
def test_the_comparison_agrees_with_a_dictionary(before: dict[str, int], after: dict[str, int]) -> None:
    found = compare(side(before), side(after), ["key"])
    old, new = list(before), list(after)
    assert [new[at] for at in found.added] == [key for key in after if key not in before]
    assert [new[at] for at in found.changed] == [key for key in after if key in before and before[key] != after[key]]
    assert [old[at] for at in found.replaced] == [new[at] for at in found.changed]
    assert [old[at] for at in found.missing] == [key for key in before if key not in after]
    assert found.unchanged == len([key for key in after if before.get(key) == after[key]])


def test_keys_of_several_columns_are_compared_as_a_whole() -> None:
    now = pa.table({"a": ["1", "1"], "b": [1, 2], "_row_hash": [5, 6]})
    then = pa.table({"a": ["1", "2"], "b": [1, 2], "_row_hash": [5, 6]})
    with duckdb.connect() as engine:
        found = compare(then, now, ["a", "b"], engine)
    assert (found.added.tolist(), found.missing.tolist(), found.unchanged) == ([1], [1], 1)


def test_repeated_keys_are_counted() -> None:
    rows = pa.table({"a": ["1", "1", "2", "1"], "b": [1, 1, 1, 2]})
    assert (repeated(rows, ["a", "b"]), repeated(rows, ["a"]), repeated(rows.slice(0, 1), ["a"])) == (1, 2, 0)


def test_texts_of_more_than_one_slice_are_hashed_row_by_row() -> None:
    table = pa.table({"text": pa.array(np.arange(300_000)).cast(pa.string())})
    found = row_hash(table, ["text"])
    assert len(set(found.to_pylist())) == table.num_rows
    assert found[299_999] == row_hash(table.slice(299_999), ["text"])[0]
