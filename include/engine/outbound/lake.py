"""The lake as an outbound connector sees it: one partner's rows, at versions that do not move, and what was settled before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from include.engine.engine import Engine
from include.engine.lake import read as lake_read
from include.engine.lake.rows import session
from include.engine.lake.table import PARTITION, exists, table_schema
from include.engine.outbound import settled


@dataclass(frozen=True)
class View:
    """`pins` are the versions of the tables by name; one that is not in it was not there. `again` is the delivery that is to be sent once
    more, None for what is due; `only` are those of its set-aside records that are meant, None for what it sent."""

    engine: Engine
    partner: str
    flow: str
    pins: Mapping[str, int]
    tables: Sequence[str]
    again: str | None = None
    only: frozenset[str] | None = None

    def dataset(self, table: str) -> Any:
        """The partner's rows of a table as a pyarrow dataset (for DuckDB and pyarrow); an empty table where there was none."""
        if table not in self.tables:
            raise ValueError(f"{table} is not among the tables that this connector reads: {', '.join(self.tables)}")
        if table not in self.pins:
            return table_schema(self.engine.contract(table)).empty_table()
        return lake_read.dataset(self.engine.lake, table, version=self.pins[table]).filter(ds.field(PARTITION) == self.partner)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The partner's rows of a table in memory."""
        found = self.dataset(table)
        named = None if columns is None else list(columns)
        if isinstance(found, pa.Table):
            return found.select(named) if named else found
        return found.to_table(columns=named)

    @contextmanager
    def connect(self, *, memory: str = "2GB") -> Iterator[Any]:
        """A DuckDB connection in which each table is a view by its name, with the partner's rows alone; and `settled` (record, outcome,
        digest), what earlier deliveries of this flow settled. Nothing is spilled to a disk: `memory` is the most it may take."""
        with session() as connection:
            connection.execute(f"SET memory_limit = '{memory}'")
            connection.execute("SET temp_directory = ''")
            connection.execute("SET preserve_insertion_order = false")
            for table in self.tables:
                connection.register(table, self.dataset(table))
            connection.register("settled", settled.dataset(self.engine, self.partner, self.flow))
            if self.again is not None:
                connection.register("again", self._again(self.again))
            yield connection

    def _again(self, delivery: str) -> pa.Table:
        if self.only is not None:
            return settled.not_sent(self.engine, self.partner, self.flow, self.only)
        return settled.sent_by(self.engine, self.partner, self.flow, delivery)

    @property
    def forgotten(self) -> date | None:
        """The first day of which everything that was settled is still known: see settled.forgotten."""
        return settled.forgotten(self.engine, self.partner, self.flow)

    def due(self, record: str) -> tuple[str, str]:
        """SQL for a query over `connect`: a join and a condition that leave only what is due. `record` is an SQL expression, the record's name.

        Due is what was never settled, and what waits (the connector then leaves out those whose digest is the same: `settled.digest`). For a
        delivery that is sent again it is what that one sent.
        """
        if self.again is not None:
            return f"JOIN again ON again.record = {record} LEFT JOIN settled ON false", "true"
        return f"LEFT JOIN settled ON settled.record = {record}", "(settled.record IS NULL OR settled.outcome = 'waits')"


def pinned(engine: Engine, tables: Sequence[str]) -> dict[str, int]:
    """The versions that readers get now, of those tables that are there."""
    known = lake_read.pinned(engine.lake)
    return {table: known.get(table, lake_read.AS_MADE) for table in tables if exists(engine.lake, table)}
