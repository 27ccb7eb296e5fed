"""Our columns as their fields: names, values, what is always the same; as JSON records, or as the CSV of a bulk job."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from connectors.crm.sync_settings import CrmSync, Kind, ObjectMap

NULL = "#N/A"
"""An empty field in a bulk job's CSV; an empty string would leave what is there (Bulk API 2.0, "Valid Date, Null and Boolean values")."""
BIND = "@odata.bind"
REFERENCES = {"guardian": "contact", "about": "contact"}
"""Columns that name another record by its external id, and of which kind that is."""


def mapped(rows: pa.Table, flow: CrmSync, kind: Kind) -> pa.Table:
    """The rows (contract crm_record) in the fields of their object: its key first, then the fields as the YAML has them."""
    their = flow.objects[kind]
    columns: dict[str, pa.Array] = {their.key: _flat(rows.column("external_id"))}
    for field, column in their.fields.items():
        value = _flat(rows.column(column))
        if field in their.values:
            value = _translated(value, their.values[field])
        if field.endswith(BIND):
            value = _address(value, flow.objects[_kind_of(column)])
        columns[field] = value
    for field, constant in their.always.items():
        columns[field] = pa.repeat(pa.scalar(constant), rows.num_rows)
    return pa.table(columns)


def blank(flow: CrmSync, kind: Kind) -> dict[str, Any]:
    """What an anonymised record holds: nothing in every field that is mapped, but for what the YAML says of required ones."""
    their = flow.objects[kind]
    return {field.removesuffix(BIND): None for field in their.fields} | dict(their.anonymous)


def records(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The mapped rows as JSON values; a reference to nobody loses its binding (`lookup: null`)."""
    for batch in table.to_batches(10_000):
        for row in batch.to_pylist():
            yield {
                name.removesuffix(BIND) if value is None else name: value.isoformat() if isinstance(value, date) else value
                for name, value in row.items()
            }


def json_lines(table: pa.Table) -> bytes:
    """A record a line."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records(table)).encode()


def from_json_lines(body: bytes) -> list[dict[str, Any]]:
    """The records of `json_lines`. A line feed alone ends a line: a text may hold what Python's `splitlines` takes for an end (U+2028, U+0085)."""
    return [json.loads(line) for line in body.split(b"\n") if line]


def csv(table: pa.Table, *, header: bool) -> bytes:
    """As Bulk API 2.0 takes it: UTF-8, commas, line feeds, texts in quotes, ISO dates, #N/A for an empty field."""
    columns = [_as_text(table.column(name)) for name in table.column_names]
    out = io.BytesIO()
    pacsv.write_csv(pa.table(columns, names=table.column_names), out, pacsv.WriteOptions(include_header=header))
    return out.getvalue()


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.null_count == 0 and not pa.types.is_string(column.type):
        return column
    text = pc.fill_null(column.cast(pa.string()), NULL)
    return pc.if_else(pc.equal(text, ""), NULL, text)


def _translated(values: pa.Array, known: dict[str, Any]) -> pa.Array:
    """Our values as theirs. One that is not named becomes `*`; without a `*` it stays as it is where they are texts, and is empty where not."""
    text = values.cast(pa.string())
    ours = pa.array([one for one in known if one != "*"], pa.string())
    theirs = pa.array([known[one] for one in ours.to_pylist()])
    found = theirs.take(pc.index_in(text, value_set=ours)) if len(ours) else pa.nulls(len(values))
    if "*" in known:
        other = pa.scalar(known["*"])
        return pc.if_else(pc.and_(pc.is_null(found), pc.is_valid(text)), other, found.cast(other.type))
    return pc.coalesce(found, text) if pa.types.is_string(found.type) else found


def _address(values: pa.Array, their: ObjectMap) -> pa.Array:
    """`/contacts(bindery_id='...')`: the external ids are hexadecimal, so nothing in them needs an escape."""
    return pc.binary_join_element_wise(pa.scalar(f"/{their.object}({their.key}='"), values, pa.scalar("')"), "")


def _kind_of(column: str) -> Kind:
    if column not in REFERENCES:
        raise ValueError(f"{column} names no other record: it cannot be bound to one")
    return "contact"


def _flat(values: Any) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
