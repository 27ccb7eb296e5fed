"""What only the whole delivery shows: duplicates, rows whose partner in another table is missing, counts and shares. DuckDB counts.

Nothing of a row is kept from batch to batch but its place and two hashes (some 22 bytes), so that five million rows fit easily: a query's
counts add up over the batches.
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
from include.engine.gate.narrow import CONTENT, content_of
from include.engine.gate.result import FOUND, NOTHING
from include.engine.memory import give_back
from include.engine.reasons import words

BATCH = "batch"
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Late:
    """Duplicates: their positions among the accepted rows, and their rows of SET_ASIDE without raw."""

    positions: Positions
    rows: pa.Table


class _Numbers:
    """Numbers of a batch as what they have above the smallest, in as few bytes as that takes."""

    def __init__(self, numbers: npt.NDArray[np.int64]) -> None:
        self._least = int(numbers.min()) if len(numbers) else 0
        above = numbers - self._least
        self._above = above.astype(np.min_scalar_type(int(above.max(initial=0))))

    def at(self, rows: Positions) -> Positions:
        """The numbers at these rows."""
        return self._least + self._above[rows].astype(np.int64)


@dataclass(frozen=True)
class _Places:
    """Of each row of a batch: a hash of its key, one of the whole row, and where it came from."""

    key: npt.NDArray[np.uint64]
    row: npt.NDArray[np.uint32]
    source: Mapping[str, _Numbers]

    def at(self, rows: Positions) -> pa.Table:
        """All that is known of these rows."""
        return pa.table({"key": self.key[rows], "row": self.row[rows], **{name: found.at(rows) for name, found in self.source.items()}})


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
        self._places: list[_Places] = []
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
        give_back()
        ordered = np.concatenate([places.key for places in self._places])
        ordered.sort()
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        if not len(twice):
            return Late(np.empty(0, dtype=np.int64), NOTHING)
        candidates = np.flatnonzero(np.concatenate([np.isin(places.key, twice) for places in self._places]))
        starts = np.cumsum([0, *(len(places.key) for places in self._places)])
        cuts = np.searchsorted(candidates, starts)
        parts = [
            places.at(candidates[first:last] - start)
            for places, start, first, last in zip(self._places, starts, cuts, cuts[1:], strict=False)
        ]
        found = pa.concat_tables(parts).append_column("position", pa.array(candidates))
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

    def _place(self, accepted: pa.RecordBatch, rule: Rule) -> _Places:
        """Key hash, row hash and place of each row. Two keys of five million share a 64-bit hash once in 1.5 million deliveries."""
        key = ", ".join(f'"{name}"' for name in rule.columns)
        content = CONTENT if CONTENT in accepted.schema.names else content_of(self._contract)
        sql = f"SELECT hash({key}) AS key, {content} AS row FROM {BATCH}"  # noqa: S608  names of a contract
        hashes = self._connection.execute(sql).fetchnumpy()
        source = {name: _Numbers(numbers) for name, numbers in self._source(accepted).items()}
        return _Places(np.asarray(hashes["key"], np.uint64), np.asarray(hashes["row"], np.uint32), source)

    def _source(self, accepted: pa.RecordBatch) -> dict[str, Positions]:
        if not set(SOURCE_COLUMNS.names) <= set(accepted.schema.names):
            self._members.setdefault("", 0)
            nothing = np.zeros(accepted.num_rows, dtype=np.int64)
            return {"member": nothing, "record": nothing, "offset": nothing, "length": nothing - 1}
        encoded = accepted.column("_member").dictionary_encode()
        numbers = [self._members.setdefault(member or "", len(self._members)) for member in encoded.dictionary.to_pylist()]
        member = np.asarray(numbers, dtype=np.int64)[encoded.indices.to_numpy(zero_copy_only=False)]
        places = {
            name: accepted.column(f"_{name}").to_numpy(zero_copy_only=False).astype(np.int64) for name in ("record", "offset", "length")
        }
        return {"member": member, **places}

    def _table(self, sql: str) -> pa.Table:
        return self._connection.sql(sql).to_arrow_table()

    def _one(self, sql: str) -> int:
        row = self._connection.sql(sql).fetchall()[0]
        return int(row[0] or 0)


def _words(same: bool, columns: str) -> str:
    return words("DUPLICATE_ROW" if same else "DUPLICATE_KEY", "en", column=columns)
