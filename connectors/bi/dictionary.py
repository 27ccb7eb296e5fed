"""The data dictionary: one HTML page, made from the contracts `bi_*`, that lies in each snapshot. It needs nothing from the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from jinja2 import Environment, StrictUndefined

from connectors.bi.house import Settings
from connectors.bi.tables import TABLES
from include.engine.contract.model import Column, Contract

_TEMPLATE = Path(__file__).with_name("dictionary.html.j2")

_TYPES = {
    "string": "text",
    "bool": "yes/no",
    "date32[day]": "date",
    "int8": "whole number",
    "int16": "whole number",
    "int32": "whole number",
    "decimal128(12, 2)": "money, 2 decimals",
}


def page(contracts: Mapping[str, Contract], settings: Settings) -> str:
    """The page, with every table of the star in its order. Errors: KeyError for a table without a contract."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["type_in_words"] = type_in_words
    environment.filters["joins"] = joins
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    tables = [(TABLES[name], contracts[name]) for name in ("fact_loan", *(name for name in TABLES if name != "fact_loan"))]
    return template.render(tables=tables, keep=settings.keep, keep_days=settings.keep_days)


def type_in_words(kind: pa.DataType) -> str:
    """What an analyst calls the type."""
    return _TYPES.get(str(kind), str(kind))


def joins(column: Column, table: str) -> str | None:
    """The column of another table that this one joins, as `dim_item.item_key`; None when it joins none."""
    if column.name.endswith("_branch") or column.name == "home_library":
        return "dim_library.branch_key"
    keys = {"date": "dim_date", "material_type": "dim_material"} | {f"{name}_key": f"dim_{name}" for name in ("title", "item", "patron")}
    target = keys.get(column.name)
    return f"{target}.{column.name}" if target and target != table else None
