"""`crm_activities`: the library's own lists of visits, complaints, lectures, newsletters and prospects, as CSV, into the lake for the CRM.

A record is a line; texts may stand in quotes. No free text comes in: a subject is one of the library's list.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from typing import Any, cast

import pyarrow as pa

from connectors.crm.settings import CrmActivities
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.delivery import Delivery
from include.engine.errors import Refused
from include.engine.inbound.connector import Binder, Bound, Read, Work
from include.engine.lake.plan import Mode
from include.engine.quarantine.schema import set_aside
from include.engine.reasons import words

BATCH = 20_000
_YES, _NO = frozenset({"1", "true", "yes", "ja", "j"}), frozenset({"0", "false", "no", "nej", "nee", "n"})


class _Unreadable(ValueError):
    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(words(code, "en", **values))
        self.code = code


def read(work: Work) -> Iterator[Read]:
    """Every line is a record. One that cannot be read is set aside with its bytes."""
    assert isinstance(work.flow, CrmActivities)
    table, flow = work.delivery.table, work.flow
    schema = arrow_schema(load(incoming(table)), source_columns=True)
    for member in work.members():
        rows: list[dict[str, Any]] = []
        aside: list[dict[str, Any]] = []
        offset, head = 0, None
        for number, line in enumerate(member.stream):
            place = {"member": member.name, "record": number, "offset": offset, "length": len(line)}
            offset += len(line)
            if head is None:
                head = _head(line, flow, table, work.delivery.id)
                continue
            try:
                rows.append({f"_{name}": value for name, value in place.items()} | _row(line, head, flow, schema))
            except _Unreadable as fault:
                aside.append(place | {"reason": fault.code, "detail": str(fault), "raw": line})
            if len(rows) + len(aside) == BATCH:
                yield Read(table, pa.RecordBatch.from_pylist(rows, schema=schema), set_aside(aside))
                rows, aside = [], []
        yield Read(table, pa.RecordBatch.from_pylist(rows, schema=schema), set_aside(aside))


def _fields(line: bytes, flow: CrmActivities) -> list[str]:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unreadable("CHARSET_WRONG") from None
    try:
        return next(csv.reader([text.rstrip("\r\n")], delimiter=flow.separator), [])
    except csv.Error:  # a field of more than 131,072 characters: a quotation mark that nothing closes
        raise _Unreadable("QUOTE_UNCLOSED") from None


def _head(line: bytes, flow: CrmActivities, table: str, where: str) -> list[str | None]:
    """Our name of each column of the file; None for one that is not ours."""
    contract, ours = load(incoming(table)), {theirs: name for name, theirs in flow.columns.items()}
    try:
        names = _fields(line, flow)
    except _Unreadable as fault:
        code = "CHARSET_REFUSED" if fault.code == "CHARSET_WRONG" else fault.code
        raise Refused(words(code, "en"), where=where, code=code) from None
    found = [ours.get(one, one if one in contract.names else None) for one in names]
    needed = {column.name for column in contract.columns if column.required} - {"deleted"}
    if missing := sorted(needed - set(found)):
        values = {"column": ", ".join(missing)}
        raise Refused(words("COLUMN_MISSING", "en", **values), where=where, code="COLUMN_MISSING", values=values)
    return found


def _row(line: bytes, head: list[str | None], flow: CrmActivities, schema: pa.Schema) -> dict[str, Any]:
    values = _fields(line, flow)
    if len(values) != len(head):
        raise _Unreadable("ROW_RAGGED", count=len(values), expected=len(head))
    row = {name: _typed(name, value.strip(), schema.field(name).type) for name, value in zip(head, values, strict=True) if name}
    if "kind" in row:
        row["kind"] = flow.kinds.get(str(row["kind"]), row["kind"])
    return {"deleted": False} | {name: value for name, value in row.items() if value is not None or name != "deleted"}


def _typed(column: str, value: str, kind: pa.DataType) -> Any:
    if value == "":
        return None
    if pa.types.is_date(kind):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise _Unreadable("DATE_UNREADABLE", column=column, value=value, expected="YYYY-MM-DD") from None
    if pa.types.is_boolean(kind):
        if value.lower() not in _YES | _NO:
            raise _Unreadable("VALUE_UNKNOWN", column=column, value=value)
        return value.lower() in _YES
    return value


def incoming(table: str) -> str:
    """The contract of the library's list."""
    return f"{table}_incoming"


def binder(work: Work) -> Binder:
    """Patrons become pseudonyms; prospects stay who they are, in a table whose contract says so."""

    def bind(table: str, rows: pa.RecordBatch) -> Iterator[Bound]:
        made = pa.table(rows).append_column("partner", pa.repeat(pa.scalar(work.partner.id), rows.num_rows))
        if table == "crm_activity":
            made = made.append_column("patron", work.pseudonyms.of(rows.column("patron_id"))).drop_columns(["patron_id"])
            made = made.append_column("key_id", pa.repeat(pa.scalar(work.pseudonyms.key_id), rows.num_rows))
        yield Bound(table, made)

    return bind


def mode(delivery: Delivery, table: str) -> Mode:
    """As the partner's YAML says of the delivery."""
    return cast(Mode, delivery.mode)
