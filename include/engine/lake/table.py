"""The lake and its tables: where they lie, how they are opened, and how a contract becomes a Delta schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from include.engine.contract.model import Contract
from include.engine.errors import WrongState
from include.engine.lake.store import TableStore, open_store

if TYPE_CHECKING:
    from include.engine.ledger.database import Ledger

PARTITION = "partner"
#: Behind the contract's columns: the delivery that last changed the row, its record number there, and the hash of its contract columns.
OWN_COLUMNS = pa.schema([("_delivery", pa.string()), ("_record", pa.int64()), ("_row_hash", pa.int64())])
PLACEHOLDER = "placeholder"
KEY = "bindery.key"  # the table property that names the key columns
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Lake:
    """Where the tables lie: `root` is an absolute path, `file:///...`, or an URI that Delta's object store knows (`s3://...`).

    With a `ledger`, readers are pinned to the versions of its latest manifest and maintenance takes its leases.
    """

    root: str | Path
    storage_options: Mapping[str, str] | None = None
    ledger: Ledger | None = None

    def uri(self, table: str) -> str:
        """Where `table` lies: an absolute path or an URI."""
        root = str(self.root).removeprefix("file://").rstrip("/")
        return f"{root if '://' in root else Path(root).absolute()}/{plain_name(table)}"

    @property
    def options(self) -> dict[str, str] | None:
        """Storage options as Delta takes them."""
        return dict(self.storage_options) if self.storage_options else None


def plain_name(name: str) -> str:
    """`name`, which becomes part of a path and must need no escape there. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be part of a path in the lake: use letters, digits, _ and -")
    return name


def store_of(lake: Lake, table: str) -> TableStore:
    """The files of `table`."""
    return open_store(lake.uri(table), lake.options)


def exists(lake: Lake, table: str) -> bool:
    """True when something was ever published to `table`, or its table was made."""
    return DeltaTable.is_deltatable(lake.uri(table), lake.options)


def open_table(lake: Lake, table: str, version: int | None = None) -> DeltaTable:
    """A fresh handle on `table`, at `version` or the newest. Raises WrongState LAKE_TABLE_MISSING, LAKE_HISTORY_GONE."""
    if version is None:
        try:
            return DeltaTable(lake.uri(table), storage_options=lake.options)
        except TableNotFoundError as error:
            raise WrongState(
                f"the lake has no table {table} yet.", do="It is made by the first delivery to it.", code="LAKE_TABLE_MISSING"
            ) from error
    try:
        return DeltaTable(lake.uri(table), version=version, storage_options=lake.options)
    except Exception as error:  # the library raises several kinds for a version whose log is gone
        raise history_gone(table, f"version {version} of the table is no longer kept") from error


def history_gone(table: str, what: str) -> WrongState:
    """The error for what lies further back than the lake keeps."""
    return WrongState(f"{what}.", where=f"lake table {table}", do="Deliver the data again instead.", code="LAKE_HISTORY_GONE")


def table_schema(contract: Contract) -> pa.Schema:
    """The Delta schema of a contract: `partner`, the contract's columns in order, then OWN_COLUMNS.

    All but `partner` are nullable: `required` is judged at the gate and again by publish, so that a contract may relax it at any time.
    """
    columns = [pa.field(column.name, column.type) for column in contract.columns if column.name != PARTITION]
    return pa.schema([pa.field(PARTITION, pa.string(), nullable=False), *columns, *OWN_COLUMNS])


def contract_schema(contract: Contract) -> pa.Schema:
    """What a data file of the contract's table holds: all but the partition column."""
    return pa.schema([field for field in table_schema(contract) if field.name != PARTITION])


def key_of(contract: Contract) -> tuple[str, ...]:
    """The contract's key inside one partner's rows."""
    return tuple(name for name in contract.key if name != PARTITION)


def data_schema(handle: DeltaTable) -> pa.Schema:
    """What a data file of the table holds: its schema without the partition column, whose value is in the log."""
    schema = pa.schema(handle.schema().to_arrow())
    return pa.schema([pa.field(field.name, field.type) for field in schema if field.name != PARTITION])


def hashed_columns(schema: pa.Schema) -> list[str]:
    """The columns that `_row_hash` covers: the table's own but for the partition column and OWN_COLUMNS."""
    return [name for name in schema.names if name != PARTITION and name not in OWN_COLUMNS.names]
