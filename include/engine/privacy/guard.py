"""The last look before a table is published: no identity number may stand where its contract does not say so.

A column is examined by what it is:

- free text (titles, notes, shelf marks, branches, lists of subjects): every identity number that `numbers.py` finds;
- keys and codes (`is_code`: ids, barcodes, control numbers, ISBNs, pseudonyms): only numbers written with their sign, such as 010190-1234.
  A ten-digit barcode has a date that fits once in 14 times, so without the sign it is taken for the code that it is declared to be;
- `marcxml`: not at all. It is the partner's public bibliographic record, and its fields are examined in the other columns;
- a table whose contract has `identity: true`: not at all.

A row with a finding is set aside, never the whole delivery, and what was found is named by its kind alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.contract.model import Contract
from include.engine.privacy import numbers
from include.engine.quarantine.schema import SET_ASIDE, conform

REASON = "IDENTITY_IN_TABLE"
CODES = frozenset(
    {"agency", "alias", "barcode", "control_number", "isbn", "issn", "patron", "partner", "merged_into", "currency", "language"}
)
DOCUMENTS = frozenset({"marcxml"})


@dataclass(frozen=True)
class Guarded:
    """`rows` may be published; `set_aside` (SET_ASIDE, `raw` null) holds a row for each that may not, with the first column to blame;
    `kept_back` are these rows themselves."""

    rows: pa.Table
    set_aside: pa.Table
    kept_back: pa.Table


def guard(rows: pa.Table, contract: Contract, *, kinds: Collection[str] = numbers.KINDS) -> Guarded:
    """Part `rows` (in the columns of `contract`, source columns welcome) into those that may be published and those that name someone."""
    if contract.identity:
        return Guarded(rows, SET_ASIDE.empty_table(), rows.slice(0, 0))
    key = set(contract.key)
    blamed = np.zeros(rows.num_rows, dtype=np.int16)  # 1 + place in `columns`; 0 is free
    columns = [
        name for name in rows.column_names if not name.startswith("_") and name not in DOCUMENTS and _is_text(rows.schema.field(name).type)
    ]
    kind = np.full(rows.num_rows, "", dtype=object)
    for place, name in enumerate(columns, start=1):
        at, found = _found_in(rows.column(name), kinds, signed=name in key or is_code(name))
        fresh = blamed[at] == 0
        blamed[at[fresh]], kind[at[fresh]] = place, found[fresh]
    bad = np.flatnonzero(blamed)
    if not len(bad):
        return Guarded(rows, SET_ASIDE.empty_table(), rows.slice(0, 0))
    kept_back = rows.take(pa.array(bad))
    return Guarded(
        rows.filter(pa.array(blamed == 0)), _set_aside(kept_back, [columns[i - 1] for i in blamed[bad]], kind[bad].tolist()), kept_back
    )


def is_code(name: str) -> bool:
    """Whether a column of this name holds codes: one concept has one name everywhere, so its name says it."""
    return name in CODES or name.endswith(("_id", "_number", "_code"))


def _is_text(kind: pa.DataType) -> bool:
    while pa.types.is_dictionary(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _found_in(values: pa.ChunkedArray, kinds: Collection[str], *, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a column that hold an identity number, each once, and its kind."""
    column = values.combine_chunks()
    rows: np.ndarray | None = None
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        rows, column = pc.list_parent_indices(column).to_numpy(), pc.list_flatten(column)
    if pa.types.is_dictionary(column.type):  # examine each distinct value once
        hit = numbers.kind_of(column.dictionary, kinds, signed=signed).take(column.indices)
    else:
        found = numbers.find(column, kinds, signed=signed)
        return _once(found.row if rows is None else rows[found.row], np.array(numbers.KINDS, dtype=object)[found.kind])
    at = np.flatnonzero(pc.is_valid(hit).to_numpy(zero_copy_only=False))
    return _once(at if rows is None else rows[at], np.array(hit.take(pa.array(at)).to_pylist(), dtype=object))


def _once(rows: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, first = np.unique(rows, return_index=True)
    return distinct, kinds[first]


def _set_aside(rows: pa.Table, columns: list[str], kinds: list[str]) -> pa.Table:
    source = {
        f"{name[1:]}": rows.column(name) if name in rows.column_names else pa.array([unknown] * rows.num_rows)
        for name, unknown in (("_member", ""), ("_record", 0), ("_offset", 0), ("_length", -1))
    }
    detail = [f"{column} holds an identity number ({kind})" for column, kind in zip(columns, kinds, strict=True)]
    return conform(pa.table({**source, "reason": [REASON] * rows.num_rows, "column": columns, "detail": detail}))
