"""What only the whole delivery shows: duplicates, rows whose partner in another table is missing, counts and shares. DuckDB counts.

Nothing of a row is kept from batch to batch but its place and two hashes (28 bytes), so that five million rows fit easily: a query's counts
add up over the batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from include.engine.ahead import Behind
from include.engine.contract.arrow import SOURCE_COLUMNS
from include.engine.contract.model import Contract, Rule
from include.engine.gate.result import FOUND, NOTHING
from include.engine.reasons import words

BATCH = "batch"
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Late:
    """Duplicates: their positions among the accepted rows, and their rows of SET_ASIDE without raw."""

    positions: Positions
    rows: pa.Table


class Whole:
    """Follows one delivery; `references` are the other tables that queries name, as the partner's own rows of them.

    DuckDB counts in a thread of its own while Great Expectations judges the next rows; what it finds is waited for when it is asked for.
    """

    def __init__(self, contract: Contract, references: Mapping[str, pa.Table]) -> None:
        self._contract = contract
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        for name, table in references.items():
            self._connection.register(name, table)
        self._queries = [rule for rule in contract.rules if rule.query is not None and set(rule.references) <= set(references)]
        self._unique = next((rule for rule in contract.rules if rule.metric == "duplicateValues"), None)
        self._counts = {rule.id: 0 for rule in self._queries}
        self._places: list[pa.Table] = []
        self._members: dict[str, int] = {}
        self._behind = Behind()

    def add(self, accepted: pa.RecordBatch) -> None:
        """Takes in the next accepted rows."""
        if accepted.num_rows and (self._queries or self._unique):
            self._behind.do(self._add, accepted)

    def _add(self, accepted: pa.RecordBatch) -> None:
        self._connection.register(BATCH, pa.table(accepted))
        for rule in self._queries:
            self._counts[rule.id] += int(self._one(str(rule.query).replace("{table}", BATCH)))
        if self._unique is not None:
            self._places.append(self._place(accepted, self._unique))
        self._connection.unregister(BATCH)

    def counted(self, rule: Rule) -> int | None:
        """The query's count over all rows so far; None when a table that it needs was not given."""
        self._behind.wait()
        return self._counts.get(rule.id)

    def late(self) -> Late:
        """Every row whose key came before, in order. The first stays."""
        self._behind.wait()
        rule = self._unique
        if rule is None or not self._places:
            return Late(np.empty(0, dtype=np.int64), NOTHING)
        places = pa.concat_tables(self._places)
        keys = places.column("key").to_numpy()
        ordered = np.sort(keys)
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        candidates = np.flatnonzero(np.isin(keys, twice)) if len(twice) else np.empty(0, dtype=np.int64)
        if not len(candidates):
            return Late(candidates, NOTHING)
        found = places.take(pa.array(candidates)).append_column("position", pa.array(candidates))
        self._connection.register("candidates", found)
        later = self._table(
            "SELECT *, row_number() OVER (PARTITION BY key, row ORDER BY position) > 1 AS same FROM candidates "
            "QUALIFY row_number() OVER (PARTITION BY key ORDER BY position) > 1 ORDER BY position"
        )
        return Late(later.column("position").to_numpy(), self._found(later, rule))

    def _found(self, later: pa.Table, rule: Rule) -> pa.Table:
        members = list(self._members)
        named = ", ".join(rule.columns)
        same = later.column("same").to_pylist()
        columns = {
            "member": [members[number] for number in later.column("member").to_pylist()],
            "record": later.column("record"),
            "offset": later.column("offset"),
            "length": later.column("length"),
            "reason": ["DUPLICATE_ROW" if one else rule.reason for one in same],
            "column": [named] * later.num_rows,
            "detail": [_words(one, named) for one in same],
        }
        return pa.table(columns).cast(FOUND)

    def _place(self, accepted: pa.RecordBatch, rule: Rule) -> pa.Table:
        """Key hash, row hash and place of each row. Two keys of five million share a 64-bit hash once in 1.5 million deliveries."""
        key = ", ".join(f'"{name}"' for name in rule.columns)
        every = ", ".join(f'"{name}"' for name in self._contract.names)
        sql = f"SELECT hash({key}) AS key, (hash({every}) & 4294967295)::UINTEGER AS row FROM {BATCH}"  # noqa: S608  names of a contract
        hashes = self._table(sql)
        columns = dict(zip(hashes.column_names, hashes.columns, strict=True))
        return pa.table({**columns, **self._source(accepted)})

    def _source(self, accepted: pa.RecordBatch) -> dict[str, pa.Array]:
        present = set(accepted.schema.names)
        if not set(SOURCE_COLUMNS.names) <= present:
            self._members.setdefault("", 0)
            nothing = np.zeros(accepted.num_rows, dtype=np.int64)
            return {
                "member": pa.array(nothing.astype(np.int32)),
                "record": pa.array(nothing),
                "offset": pa.array(nothing),
                "length": pa.array(nothing - 1, pa.int32()),
            }
        encoded = accepted.column("_member").dictionary_encode()
        numbers = [self._members.setdefault(member or "", len(self._members)) for member in encoded.dictionary.to_pylist()]
        member = pa.array(np.asarray(numbers, dtype=np.int32)).take(encoded.indices)
        return {
            "member": member,
            "record": accepted.column("_record"),
            "offset": accepted.column("_offset"),
            "length": accepted.column("_length"),
        }

    def _table(self, sql: str) -> pa.Table:
        return self._connection.sql(sql).to_arrow_table()

    def _one(self, sql: str) -> int:
        row = self._connection.sql(sql).fetchall()[0]
        return int(row[0] or 0)


def _words(same: bool, columns: str) -> str:
    return words("DUPLICATE_ROW" if same else "DUPLICATE_KEY", "en", column=columns)
