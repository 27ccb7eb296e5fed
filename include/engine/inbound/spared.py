"""What a whole export brought but could not be taken in is not missing: the lake keeps what it has of it.
docs/decisions/set-aside-is-not-missing.md

Sealed streams beside a try's other tables: `<table>.known` are rows as they came in, of which only the key counts; `<table>.spared` and
`<table>.withheld` are keys of a lake table whose rows the delivery does not delete. Publish reads them, so that every try does the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.crypto.keys import DataKey
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.inbound.connector import Inbound, Work
from include.engine.inbound.work import key_of
from include.engine.lake.files import fitted
from include.engine.lake.table import key_of as lake_key
from include.engine.spool import Spools, SpoolWriter, open_spool

KNOWN, SPARED, WITHHELD = "known", "spared", "withheld"


class Spared:
    """Collects, in one try of the gate, the keys of what a full export brought and lost on the way; does nothing for other deliveries.

    A record set aside spares its own row, and the rows of whatever it brings along (items in a catalogue record, a patron's cards) that
    carry its key. `unknown` counts the records of the delivery's own table whose key nobody can tell; `own` names that table's key.
    """

    def __init__(self, engine: Engine, delivery: Delivery, connector: Inbound, work: Work, staged: Path, folder: Path) -> None:
        self._engine, self._delivery, self._connector, self._work = engine, delivery, connector, work
        self._staged, self._folder, self._key = staged, folder, key_of(engine, delivery)
        self._full = delivery.mode == "full"
        self._known, self._spared = Spools(folder, KNOWN, self._key), Spools(folder, SPARED, self._key)
        self.own = lake_key(engine.contract(delivery.table)) if self._full else ()
        self.unknown = int(delivery.facts.get("read_aside", delivery.counts.quarantined)) if self._full else 0

    def __enter__(self) -> Spared:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._known.__exit__(kind, error, trace)
        self._spared.__exit__(kind, error, trace)

    def came(self, table: str, batch: pa.RecordBatch, positions: npt.NDArray[np.int64], schema: pa.Schema) -> None:
        """Rows that came in and that the first gate set aside: those at `positions`. They are kept in the staged table's `schema`."""
        if self._full and len(positions):
            self._known.write(table, fitted(batch.take(pa.array(positions)), schema))
            if table == self._delivery.table:
                self.unknown += len(positions)

    def bound(self, table: str, rows: pa.Table) -> None:
        """Rows of a lake table that were set aside behind the binder, or that stand for the key alone."""
        if not rows.num_rows or self._connector.mode(self._delivery, table) != "full":
            return
        key = list(lake_key(self._engine.contract(table)))
        keyed = rows.select(key).drop_null()
        self._spared.write(table, keyed)
        if table != self._delivery.table and keyed.num_rows < rows.num_rows and set(self.own) <= set(rows.column_names):
            lost = rows.filter(pc.is_null(rows.column(key[0])))  # it cannot be named; all that its record brought stays
            self._spared.write(self._delivery.table, lost.select(list(self.own)).drop_null())

    def bind(self) -> None:
        """Make lake keys of what came in: the last thing before the context ends."""
        self._known.__exit__(None, None, None)
        if not self._full:
            return
        bind = self._connector.binder(self._work)
        for folder in (self._staged, self._folder):
            for path in sorted(folder.glob(f"*.{KNOWN}")):
                contract = self._engine.contract(self._connector.incoming(path.stem))
                key = [name for name in contract.key if name != "partner"]
                for batch in _batches(path, self._key):
                    if path.stem == self._delivery.table:
                        self.unknown -= pa.table(batch).select(key).drop_null().num_rows
                    for bound in bind(path.stem, _only(batch, {*key, *self.own})):
                        self.bound(bound.table, bound.rows)

    def of(self, table: str) -> list[pa.Table]:
        """Keys whose rows of `table` are not deleted."""
        return _read(self._engine, self._delivery, self._folder, table) if self._full else []

    def withhold(self, missing: pa.Table) -> dict[str, int]:
        """Weigh the keys that would be deleted against the records that nobody can name; returns what is to be said of it, by reason.

        Are they no more than these, they are most likely the same, and stay until an export names them or more are missing.
        """
        if not missing.num_rows or self.unknown <= 0:
            return {}
        if missing.num_rows > self.unknown:
            return {"KEYS_UNTOLD": self.unknown}
        with SpoolWriter(self._folder / f"{self._delivery.table}.{WITHHELD}", missing.schema, self._key) as writer:
            writer.write(missing)
        return {"DELETIONS_WITHHELD": missing.num_rows}


def spared(engine: Engine, delivery: Delivery, table: str) -> list[pa.Table]:
    """Keys of a lake table, each table of them by its own columns, whose rows a gated delivery does not delete."""
    return _read(engine, delivery, engine.home / str(delivery.gated_uri), table) if delivery.mode == "full" else []


def _read(engine: Engine, delivery: Delivery, folder: Path, table: str) -> list[pa.Table]:
    own, key = delivery.table, key_of(engine, delivery)
    named = [table]
    if table != own and set(lake_key(engine.contract(own))) <= set(engine.contract(table).names):
        named.append(own)
    paths = [folder / f"{name}.{kind}" for name in named for kind in (SPARED, WITHHELD)]
    return [_table(path, key) for path in paths if path.exists()]


def _table(path: Path, key: DataKey) -> pa.Table:
    with open_spool(path, key) as stream:
        return stream.read_all()


def _batches(path: Path, key: DataKey) -> Iterator[pa.RecordBatch]:
    with open_spool(path, key) as stream:
        yield from stream


def _only(batch: pa.RecordBatch, keep: set[str]) -> pa.RecordBatch:
    """The same rows with nothing but their place and the columns to keep: what was wrong with them must not matter to a binder."""
    columns = [
        batch.column(field.name) if field.name in keep or field.name.startswith("_") else pa.nulls(batch.num_rows, field.type)
        for field in batch.schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
