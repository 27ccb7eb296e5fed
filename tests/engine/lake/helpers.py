"""A small contract, rows for it, and deliveries of them, for the lake's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from include.engine.contract.model import Column, Contract
from include.engine.lake.publish import Published, publish
from include.engine.lake.read import read
from include.engine.lake.table import Lake

COLUMNS = {"item_id": pa.string(), "status": pa.string(), "loan_count": pa.int32(), "placeholder": pa.bool_()}


def contract(columns: dict[str, pa.DataType] | None = None, *, key: tuple[str, ...] = ("item_id",), **changes: Any) -> Contract:
    """A lake contract, of `item` unless `changes` says otherwise; the key columns are the required ones."""
    named = COLUMNS if columns is None else columns
    required = changes.pop("required", ())
    listed = [Column("partner", pa.string(), True, False, "", "public")] + [
        Column(name, kind, name in key or name in required, name in key, "", "public") for name, kind in named.items()
    ]
    facts = {"id": "item", "version": "1.0.0", "title": "Items", "purpose": "", "table": "item", "handoff": "lake"}
    return Contract(**{**facts, **changes}, columns=tuple(listed), rules=())


ITEM = contract()


def item(number: int, status: str = "available", loans: int = 0, placeholder: bool = False) -> dict[str, Any]:
    """One row of ITEM."""
    return {"item_id": f"i{number}", "status": status, "loan_count": loans, "placeholder": placeholder, "_record": number}


def rows_of(
    rows: Iterable[dict[str, Any]], of: Contract = ITEM, batch: int = 3, before_end: Callable[[], None] | None = None
) -> Callable[[], pa.RecordBatchReader]:
    """A delivery's rows in small batches; `before_end` is called each time they have been read through."""
    kinds = {column.name: column.type for column in of.columns if column.name != "partner"} | {"_record": pa.int64()}
    schema = pa.schema(list(kinds.items()))
    table = pa.Table.from_pylist(list(rows), schema=schema)

    def batches() -> Any:
        yield from table.to_batches(max_chunksize=batch)
        if before_end is not None:
            before_end()

    return lambda: pa.RecordBatchReader.from_batches(schema, batches())


def keep_going() -> None:
    """A fence that lets everything through."""


def deliver(
    lake: Lake,
    delivery: str,
    rows: Iterable[dict[str, Any]],
    mode: Any = "full",
    *,
    partner: str = "lindeby",
    of: Contract = ITEM,
    **more: Any,
) -> Published:
    """Publish `rows`."""
    return publish(lake, of, partner, delivery, rows_of(rows, of), mode, more.pop("check", keep_going), **more)


def state(lake: Lake, partner: str = "lindeby", version: Any = "newest") -> dict[str, tuple[str, int]]:
    """The partner's items: status and loan count by id."""
    table = read(lake, "item", partner=partner, version=version)
    assert len(set(table["item_id"].to_pylist())) == table.num_rows
    return {row["item_id"]: (row["status"], row["loan_count"]) for row in table.to_pylist()}
