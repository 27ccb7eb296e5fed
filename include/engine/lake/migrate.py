"""A contract's table: made when it is missing, brought to a new version of the contract when that only adds."""

from __future__ import annotations

import time
import uuid

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from include.engine.contract.model import Contract
from include.engine.errors import SettingsError, Unreachable
from include.engine.lake.files import DataFile, PartitionWriter, batches, files_of
from include.engine.lake.log import FACTS
from include.engine.lake.store import TableStore
from include.engine.lake.table import KEY, PARTITION, Lake, exists, key_of, open_table, store_of, table_schema

CONTRACT = "bindery.contract"
VERSION = "bindery.contract.version"
PROPERTIES = {
    "delta.dataSkippingNumIndexedCols": "0",  # no writer, ours or another, copies values into the log
    "delta.logRetentionDuration": "interval 90 days",
    "delta.deletedFileRetentionDuration": "interval 30 days",
    "delta.setTransactionRetentionDuration": "interval 400 days",
    "delta.checkpointInterval": "50",
}
_TRIES = 8
_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())


def ensure(lake: Lake, contract: Contract) -> DeltaTable:
    """A handle on the contract's table as this version of the contract wants it; made or migrated first if need be.

    New columns and widened types are taken over; an older contract than the table's is served as long as the table still fits it.
    Any number of processes may call it at once. Raises SettingsError CONTRACT_MIGRATION, which says what cannot be done and why.
    """
    _sound(contract)
    for attempt in range(_TRIES):
        try:
            if not exists(lake, contract.table):
                _create(lake, contract)
            handle = open_table(lake, contract.table)
            while _migrate(handle, store_of(lake, contract.table), contract):
                handle = open_table(lake, contract.table)
            return handle
        except (CommitFailedError, DeltaError):  # somebody else made or migrated it meanwhile: look again
            time.sleep(0.02 * 2**attempt)
    raise Unreachable("the table could not be made ready.", where=f"lake table {contract.table}", do="A retry helps.", code="LAKE_BUSY")


def _sound(contract: Contract) -> None:
    where, own = f"contract {contract.id}", [name for name in contract.names if name.startswith("_")]
    if not key_of(contract):
        raise SettingsError("the contract names no key.", where=where, do="Mark its primaryKey columns.", code="CONTRACT_MIGRATION")
    if own:
        raise SettingsError(f"column {own[0]} takes a name of the lake's own.", where=where, do="Rename it.", code="CONTRACT_MIGRATION")


def _create(lake: Lake, contract: Contract) -> None:
    DeltaTable.create(
        lake.uri(contract.table),
        table_schema(contract),
        partition_by=[PARTITION],
        name=contract.table,
        description=contract.title,
        configuration=PROPERTIES | _described(contract),
        storage_options=lake.options,
        raise_if_key_not_exists=False,
        # Without a retry the second of two makers is refused; with one, it would make the table again as version 1.
        commit_properties=CommitProperties(max_commit_retries=0),
    )


def _described(contract: Contract) -> dict[str, str]:
    return {CONTRACT: contract.id, VERSION: contract.version, KEY: ",".join(key_of(contract))}


def _migrate(handle: DeltaTable, store: TableStore, contract: Contract) -> bool:
    """Bring the table to the contract; True when something was committed."""
    configuration = handle.metadata().configuration
    if configuration.get(KEY) != ",".join(key_of(contract)):
        raise _cannot(contract, f"the key was ({configuration.get(KEY)}) and would be ({','.join(key_of(contract))})")
    there, wanted = pa.schema(handle.schema().to_arrow()), table_schema(contract)
    newer = _numbers(contract.version) >= _numbers(configuration.get(VERSION, "0"))
    dropped = [name for name in there.names if name not in wanted.names]
    if dropped and newer and contract.version != configuration.get(VERSION):
        raise _cannot(contract, f"column {dropped[0]} is no longer in it, and the table holds it")
    added = [field for field in wanted if field.name not in there.names]
    common = [field for field in wanted if field.name in there.names]
    widened = {field.name: field.type for field in common if _wider(contract, there.field(field.name), field, newer)}
    if added or widened:
        _require_nullable(handle, contract, [field.name for field in added])
        fields = [pa.field(field.name, widened.get(field.name, field.type), field.nullable) for field in there]
        schema = pa.schema([*fields, *added])
        _change_schema(handle, store, schema, contract, rewritten=bool(widened))
    elif not newer or contract.version == configuration.get(VERSION):
        return False
    else:
        handle.alter.set_table_properties(_described(contract), raise_if_not_exists=False)
    return True


def _wider(contract: Contract, there: pa.Field, wanted: pa.Field, newer: bool) -> bool:
    """Whether the column must be widened. Raises when the types are not one the widening of the other."""
    if there.type == wanted.type:
        return False
    if _widens(there.type, wanted.type):
        return True
    if not newer and _widens(wanted.type, there.type):
        return False  # an older contract publishes into a table that a newer one has widened
    raise _cannot(contract, f"column {there.name} was {there.type} and would be {wanted.type}, which is no widening")


def _widens(old: pa.DataType, new: pa.DataType) -> bool:
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(new) > _INTEGERS.index(old)
    if pa.types.is_decimal(old) and pa.types.is_decimal(new):
        return bool(new.scale == old.scale and new.precision > old.precision)
    return bool(old == pa.float32() and new == pa.float64())


def _require_nullable(handle: DeltaTable, contract: Contract, added: list[str]) -> None:
    needed = [name for name in added if contract.column(name).required]
    if needed and files_of(handle):
        raise _cannot(contract, f"column {needed[0]} is new and required, and the rows that are there have no value for it")


def _change_schema(handle: DeltaTable, store: TableStore, schema: pa.Schema, contract: Contract, rewritten: bool) -> None:
    """One commit that changes the schema. Files are written again when a type changes; new columns are null in files that lack them."""
    if not rewritten:
        there = pa.schema(handle.schema().to_arrow()).names
        fresh = Schema.from_arrow(pa.schema([field for field in schema if field.name not in there])).fields
        handle.alter.add_columns(fresh)
        return
    files = files_of(handle)
    data = pa.schema([field for field in schema if field.name != PARTITION])
    partners = sorted({file.partner for file in files})
    written = [new for partner in partners for new in _rewritten(store, files, partner, data, key_of(contract))]
    now = int(time.time() * 1000)
    turns = [f"{PARTITION}:{partner}" for partner in partners]
    properties = CommitProperties(
        custom_metadata={FACTS: {"kind": "migrate", "transaction": f"migrate:{uuid.uuid4().hex}"}},
        app_transactions=[Transaction(turn, (handle.transaction_version(turn) or 0) + 1, now) for turn in turns],
    )
    actions: list[AddAction | RemoveAction] = [file.added(data_change=False) for file in written]
    handle.create_write_transaction(actions, "overwrite", Schema.from_arrow(schema), [PARTITION], commit_properties=properties)


def _rewritten(store: TableStore, files: list[DataFile], partner: str, schema: pa.Schema, keys: tuple[str, ...]) -> list[DataFile]:
    writer = PartitionWriter(store, schema, partner, keys)
    for file in files:
        if file.partner == partner:
            for batch in batches(store, file, schema):
                writer.write(batch)
    return writer.close()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split("+")[0].split(".") if part.isdigit())


def _cannot(contract: Contract, why: str) -> SettingsError:
    return SettingsError(
        f"version {contract.version} cannot take over the lake table {contract.table}: {why}.",
        where=f"contract {contract.id}",
        do="Keep the old columns and add new, optional ones; or give the contract a new table name and deliver again.",
        code="CONTRACT_MIGRATION",
    )
