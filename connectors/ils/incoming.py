"""The incoming tables: their columns come from the contracts `ils_<table>`, which every row is checked against after reading."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.contract.model import Contract

TABLES = ("bibliographic", "authority", "holding", "item", "patron", "loan", "hold", "fee")


@cache
def contract(table: str) -> Contract:
    """The contract that a delivery of `table` is held against."""
    return load(f"ils_{table}")


@cache
def schema(table: str) -> pa.Schema:
    """Source columns (`_member`, `_record`, `_offset`, `_length`), then the contract's columns."""
    return arrow_schema(contract(table), source_columns=True)


@cache
def fields(table: str) -> dict[str, pa.DataType]:
    """The contract's columns and their types, in order."""
    return {column.name: column.type for column in contract(table).columns}


@cache
def required(table: str) -> frozenset[str]:
    """Columns that must have a value in every row."""
    return frozenset(column.name for column in contract(table).columns if column.required)


@cache
def shown(table: str, column: str) -> bool:
    """Whether a value of this column may stand in a message: not in a table of patrons, not if it says who someone is."""
    return table != "patron" and contract(table).column(column).classification == "public"
