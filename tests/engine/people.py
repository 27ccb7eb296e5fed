"""A small connector of patrons and loans, for the tests of what the engine does to persons.

patron lines: `patron id;cards with |;national number;name;e-mail;guardian`. loan lines: `loan id;patron id;card;loaned on;returned on`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.delivery import Delivery
from include.engine.inbound.connector import Binder, Bound, Read, Work
from include.engine.quarantine.schema import set_aside

FIELDS = {"patron": 6, "loan": 5}


def read(work: Work) -> Iterator[Read]:
    table = work.spec.table
    for member in work.members():
        rows, aside, offset = [], [], 0
        for number, line in enumerate(member.stream.read().splitlines(keepends=True), start=1):
            place = {"member": member.name, "record": number, "offset": offset, "length": len(line)}
            offset += len(line)
            fields = [field or None for field in line.decode().rstrip("\r\n").split(";")]
            if len(fields) != FIELDS[table]:
                aside.append(place | {"reason": "ROW_RAGGED", "detail": f"{len(fields)} fields", "raw": line})
            else:
                rows.append({f"_{name}": value for name, value in place.items()} | _incoming(table, fields))
        schema = arrow_schema(load(f"ils_{table}"), source_columns=True)
        yield Read(table, pa.RecordBatch.from_pylist(rows, schema=schema), set_aside(aside))


def _incoming(table: str, fields: list[str | None]) -> dict[str, object]:
    if table == "patron":
        own = dict(zip(("patron_id", "card_numbers", "national_id", "name", "email", "guardian_id"), fields, strict=True))
        own["card_numbers"] = (fields[1] or "").split("|") if fields[1] else []
        return own | {"institution": False, "protected": False, "blocked": False, "deleted": False}
    own = dict(zip(("loan_id", "patron_id", "card_number"), fields[:3], strict=True))
    days = [date.fromisoformat(day) if day else None for day in fields[3:]]
    return own | {
        "loaned_on": days[0],
        "returned_on": days[1],
        "event": "loan",
        "event_id": "1",
        "kind": "home",
        "renewals": 0,
        "item_id": "i1",
    }


def incoming(table: str) -> str:
    return f"ils_{table}"


def mode(delivery: Delivery, table: str) -> str:
    return delivery.mode


def binder(work: Work) -> Binder:
    return lambda table, rows: bind(work, table, rows)


def bind(work: Work, table: str, rows: pa.RecordBatch) -> Iterator[Bound]:
    names = work.pseudonyms
    rows = pa.table(rows)
    source = [name for name in rows.column_names if name.startswith("_")]
    partner = pa.repeat(pa.scalar(work.partner.id), rows.num_rows)
    key_id = pa.repeat(pa.scalar(names.key_id), rows.num_rows)
    if table == "loan":
        by_id = names.of(rows["patron_id"])
        patron = pc.coalesce(by_id, names.of(rows["card_number"], "card"))
        alias = pc.and_(pc.is_valid(patron), pc.is_null(by_id))
        key_id = pc.if_else(pc.is_valid(patron), pa.scalar(names.key_id), pa.scalar(None, pa.string()))
        loans = rows.drop_columns(["patron_id", "card_number"])
        for name, column in {"partner": partner, "patron": patron, "patron_is_alias": alias, "key_id": key_id}.items():
            loans = loans.append_column(name, column)
        yield Bound("loan", _filled("loan", loans))
        return
    patron = names.of(rows["patron_id"])
    identity = rows.append_column("partner", partner).append_column("patron", patron).append_column("key_id", key_id)
    yield Bound("patron_identity", _filled("patron_identity", identity))
    no, none = pa.repeat(False, rows.num_rows), pa.nulls(rows.num_rows, pa.string())
    years = pa.repeat(pa.scalar(1990, pa.int16()), rows.num_rows)
    columns = {"partner": partner, "patron": patron, "key_id": key_id, "birth_year": years, "merged_into": none} | dict.fromkeys(
        ("institution", "minor", "protected", "blocked", "deleted", "placeholder"), no
    )
    yield Bound("patron", _filled("patron", pa.table({**{name: rows[name] for name in source}, **columns})))
    whose, cards = pc.list_parent_indices(rows["card_numbers"]), pc.list_flatten(rows["card_numbers"])
    if len(cards):
        of = {name: rows[name].take(whose) for name in source}
        aliases = {
            "alias": names.of(cards, "card"),
            "patron": patron.take(whose.combine_chunks()),
            "partner": partner.take(whose.combine_chunks()),
        }
        yield Bound("patron_alias", pa.table({**of, **aliases, "kind": ["card"] * len(cards)}))


def _filled(table: str, rows: pa.Table) -> pa.Table:
    """`rows` with every column of the lake's contract; those it lacks are null."""
    schema = arrow_schema(load(table), source_columns=True)
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type) for field in schema
    ]
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))
