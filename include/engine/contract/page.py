"""A contract as a page that a librarian reads: self-contained HTML, for light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa

from include.engine.contract.model import Column, Contract, Rule
from include.engine.reasons import table

HANDOFFS = {
    "incoming": ("What comes in", "checked on arrival, before anything is taken over"),
    "lake": ("What the lake holds", "checked before it is published"),
    "bi": ("What analysts get", "checked before a snapshot appears"),
    "outbound": ("What goes out", "checked before it is sent"),
}
SEVERITIES = {
    "block": ("Blocks the delivery", "nothing of the delivery is taken in until this is mended"),
    "quarantine": ("Sets the row aside", "the row waits with its reason; the others are taken in"),
    "warn": ("Warns", "the row is taken in, and the receipt says so"),
}
CLASSES = {"identity": "identity", "personal": "personal", "public": ""}


def page(contract: Contract) -> str:
    """The contract's page, whole."""
    return _template("page.html.j2").render(
        contract=contract,
        handoff=HANDOFFS[contract.handoff],
        columns=[_column(column) for column in contract.columns],
        groups=[(SEVERITIES[name], [_rule(rule) for rule in contract.rules if rule.severity == name]) for name in SEVERITIES],
        required=[column.name for column in contract.columns if column.required],
        percent=_percent,
    )


def index(contracts: Mapping[str, Contract]) -> str:
    """The page that leads to all others."""
    groups = [(HANDOFFS[name], [one for one in contracts.values() if one.handoff == name]) for name in HANDOFFS]
    return _template("index.html.j2").render(groups=[(words, found) for words, found in groups if found], total=len(contracts))


def write_pages(contracts: Mapping[str, Contract], folder: Path) -> list[Path]:
    """Writes index.html and a page a contract into the folder; returns their paths, the index first."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"index.html": index(contracts), **{f"{contract.id}.html": page(contract) for contract in contracts.values()}}
    for name, html in pages.items():
        (folder / name).write_text(html, encoding="utf-8")
    return [folder / name for name in pages]


def type_in_words(type: pa.DataType) -> str:
    """What a librarian calls an Arrow type."""
    if pa.types.is_list(type):
        return f"list of {type_in_words(type.value_type)}"
    if pa.types.is_decimal(type):
        return f"amount, {type.scale} decimals"
    if pa.types.is_integer(type):
        return "whole number"
    names = {pa.string(): "text", pa.bool_(): "yes or no", pa.date32(): "date", pa.float64(): "number"}
    return names.get(type, "moment, UTC")


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": type_in_words(column.type),
        "key": column.key,
        "required": column.required,
        "classification": CLASSES[column.classification],
        "description": column.description,
        "examples": [str(example) for example in column.examples],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    known = table().get(rule.reason)
    return {
        "id": rule.id,
        "words": rule.description,
        "where": rule.column,
        "reason": rule.reason,
        "mend": known.mend["en"] if known else "",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


@cache
def _template(name: str) -> jinja2.Template:
    folder = Path(__file__).parent / "templates"
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name)
