"""Rows as narrow as a gate needs them: what its contract's rules look at, where each row came from, and a hash of the whole row.

A row may carry a document (a catalogue record as XML) that no rule reads. Judged without it, 200,000 such rows fit into one batch, and each
question to Great Expectations, a tenth of a second whatever its rows, is asked once where it was asked five times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.contract.arrow import SOURCE_COLUMNS
from include.engine.contract.model import Contract, Rule

CONTENT = "_content"
"""uint32, where the contract wants each key once: a hash of all its columns, by which a row that comes twice is told from another of the same key."""
_GIVENNESS = {
    "expect_column_values_to_not_be_null": ("column",),
    "expect_column_values_to_be_given_when": ("column",),
    "expect_column_values_to_be_given_with": ("column", "given"),
    "expect_one_of_columns_to_be_given": ("column_list",),
}
"""By expectation the arguments that name columns of which it asks no more than whether there is a value: not null, not empty."""


class Narrow:
    """Narrows batches of one contract's rows (source columns welcome). `also` names further columns to keep. Not for several threads at once."""

    def __init__(self, contract: Contract, also: Iterable[str] = ()) -> None:
        whole, given = set(contract.key) | set(also), set[str]()
        for rule in contract.rules:
            read, asked = _looked_at(rule, contract)
            whole |= read
            given |= asked
        self._names = (whole | given | set(SOURCE_COLUMNS.names)) - {CONTENT}
        self._given = given - whole
        self._content_of = content_of(contract) if any(rule.metric == "duplicateValues" for rule in contract.rules) else None
        self._connection = duckdb.connect(":memory:", config={"threads": 1})

    def of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same rows: columns that rules look at, of texts that have only to be there their first letter, and CONTENT."""
        kept = [field for field in batch.schema if field.name in self._names]
        columns = [self._of(field, batch.column(field.name)) for field in kept]
        names = [field.name for field in kept]
        if self._content_of is not None:
            columns, names = [*columns, self._content(batch, self._content_of)], [*names, CONTENT]
        return pa.RecordBatch.from_arrays(columns, names=names)

    def _of(self, field: pa.Field, values: pa.Array) -> pa.Array:
        if field.name in self._given and pa.types.is_string(field.type):
            return pc.utf8_slice_codeunits(values, 0, 1)
        return values

    def _content(self, batch: pa.RecordBatch, sql: str) -> pa.Array:
        self._connection.register("batch", pa.table(batch))
        found = self._connection.execute(f"SELECT {sql} AS content FROM batch").fetchnumpy()["content"]  # noqa: S608  names of a contract
        self._connection.unregister("batch")
        return pa.array(np.asarray(found, np.uint32))


def content_of(contract: Contract) -> str:
    """CONTENT in SQL, of a table that has all the contract's columns."""
    return "(hash(" + ", ".join(f'"{name}"' for name in contract.names) + ") & 4294967295)::UINTEGER"


def _looked_at(rule: Rule, contract: Contract) -> tuple[set[str], set[str]]:
    """The columns that a rule reads, and those that it only wants to be given."""
    if rule.query is not None:
        words = set(re.findall(r"\w+", rule.query))
        every = "*" in re.sub(r"count\s*\(\s*\*\s*\)", "", rule.query, flags=re.IGNORECASE)
        return {name for name in contract.names if every or name in words}, set()
    named = {*rule.columns, *((rule.column,) if rule.column else ())}
    if rule.scope != "row":
        return named, set()
    arguments = [rule.kwargs.get(name, ()) for name in _GIVENNESS.get(rule.expectation, ())]
    given = {name for one in arguments for name in ([one] if isinstance(one, str) else one)}
    return named - given, given & named
