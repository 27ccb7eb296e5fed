"""The words for each row that is set aside: the reason's English sentence with the row's own values, masked where they could name a person.

Built a rule at a time, for all its rows at once.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.contract.model import Contract, Rule
from include.engine.contract.suite import resolve
from include.engine.privacy.mask import shapes
from include.engine.reasons import reason

Positions = npt.NDArray[np.int64]
#: A word or short code, as code lists have them; anything else shows only its shape.
CODE = r"^(\p{L}[\p{L}_./-]{0,23}|[\p{L}\d_./-]{1,3})$"
MANY_DIGITS = r"\d{6,}"


def details(rule: Rule, contract: Contract, batch: pa.RecordBatch, rows: Positions, today: date) -> pa.Array:
    """One sentence a row of `rows`, in English: `reason(rule.reason)` with {column}, {value}, {limit} and {expected} filled in."""
    sentence = reason(rule.reason).text["en"]
    fixed = {
        "column": ", ".join(rule.columns[:1] or (rule.column or "",)),
        "expected": ", ".join(map(str, rule.kwargs.get("value_set", ()))),
    }
    for name, value in fixed.items():
        sentence = sentence.replace(f"{{{name}}}", value)
    value_column = rule.kwargs.get("column_A") or rule.kwargs.get("column")
    pieces = _cut(sentence)
    parts: list[Any] = []
    for piece in pieces:
        if piece == "{value}" and value_column:
            parts.append(shown(contract, batch, value_column, rows))
        elif piece == "{limit}":
            other = rule.kwargs.get("column_B")
            parts.append(shown(contract, batch, other, rows) if other else _bound(rule, contract, today))
        else:
            parts.append(piece)
    texts = [part if isinstance(part, pa.Array) else pa.array([part]).take(pa.array(np.zeros(len(rows), dtype=np.int64))) for part in parts]
    return pc.binary_join_element_wise(*texts, "", null_handling="replace", null_replacement="?")


def shown(contract: Contract, batch: pa.RecordBatch, column: str, rows: Positions) -> pa.Array:
    """The column's values at `rows` as a message may show them.

    What is not public shows its shape. A public string does too, unless it is a short code: in a shifted row any column can hold a number
    or a name. So do numbers of six digits and more.
    """
    values = batch.column(column).take(pa.array(rows))
    if pa.types.is_list(values.type):
        return pa.repeat(pa.scalar("…"), len(values))
    distinct = values.dictionary_encode()
    return _shown(distinct.dictionary, public=contract.column(column).classification == "public").take(distinct.indices)


def _shown(values: pa.Array, *, public: bool) -> pa.Array:
    kind = values.type
    text = pc.strftime(values, format="%Y-%m-%d %H:%M") if pa.types.is_timestamp(kind) else values.cast(pa.string())
    if not public:
        return shapes(text)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return text
    plain = pc.match_substring_regex(text, CODE) if pa.types.is_string(kind) else pc.invert(pc.match_substring_regex(text, MANY_DIGITS))
    return text if pc.all(plain).as_py() else pc.if_else(plain, text, shapes(text))


def _bound(rule: Rule, contract: Contract, today: date) -> str:
    for name in ("max_value", "min_value"):
        if name in rule.kwargs:
            bound = resolve(rule.kwargs[name], rule, contract, today)
            return bound.date().isoformat() if isinstance(bound, pd.Timestamp) else str(bound)
    return "?"


def _cut(sentence: str) -> list[str]:
    """The sentence in pieces: plain text, {value} and {limit}."""
    pieces = [sentence]
    for name in ("{value}", "{limit}"):
        cut: list[str] = []
        for piece in pieces:
            first, *rest = piece.split(name)
            cut.append(first)
            for one in rest:
                cut += [name, one]
        pieces = cut
    return [piece for piece in pieces if piece]
