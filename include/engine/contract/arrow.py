"""A contract as an Arrow schema."""

from __future__ import annotations

import pyarrow as pa

from include.engine.contract.model import Contract

#: Where each staged row came from: member of the archive ("" if none), record number (from 1), byte offset of the record's first byte in
#: the unpacked member, and its length in bytes (-1 if unknown).
SOURCE_COLUMNS = pa.schema([("_member", pa.string()), ("_record", pa.int64()), ("_offset", pa.int64()), ("_length", pa.int32())])


def arrow_schema(contract: Contract, source_columns: bool = False) -> pa.Schema:
    """The contract's columns, in order, behind the source columns when these are asked for.

    Every field is nullable: `required` is the gate's to judge, and a row that breaks it must be representable to be set aside.
    """
    fields = [pa.field(column.name, column.type) for column in contract.columns]
    return pa.schema([*SOURCE_COLUMNS, *fields] if source_columns else fields)
