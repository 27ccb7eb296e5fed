"""`circulation_journal` as the engine's inbound steps see it: how the journal is fetched, how its entries are read, and what they become in the lake."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from connectors.circulation.journal.reading import Entry
from connectors.circulation.lake.conflicts import is_conflict
from connectors.circulation.lake.events import Event, events, without_undone
from connectors.circulation.lake.pulling import SUMMARY, fetch
from connectors.circulation.lake.telling import Lake, Telling
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.delivery import Delivery
from include.engine.inbound.connector import Binder, Bound, Read, Work
from include.engine.lake.plan import Mode
from include.engine.loan_names import ALIAS, KIOSK, LOAN, names
from include.engine.loan_names import TABLE as LOAN_ALIAS
from include.engine.privacy.people import Aliases
from include.engine.storage.warc import pages

__all__ = ["binder", "fetch", "incoming", "mode", "read"]

SOURCE = ("_member", "_record", "_offset", "_length")
CONTRACT = "circulation_loan"


def read(work: Work) -> Iterator[Read]:
    """The journal's loans, renewals and returns, under the numbers by which the lake knows their loans; what the library system has told
    of by itself already, what was undone, and what is no loan is left out by reason. A conflict that changed no loan is counted as one."""
    zone = ZoneInfo(work.partner.timezone)
    conflicting: set[int] = set()
    found, out = without_undone(events(_seen(_entries(work), conflicting), zone))
    filtered = Counter("KIOSK_CONFLICT" if reason == "NOT_A_LOAN" and number in conflicting else reason for number, reason in out)
    if not found:
        yield Read("loan", filtered=dict(filtered))
        return
    telling = Telling(_lake(work, found), work.pseudonyms, _aliases(work))
    rows: list[dict[str, Any]] = []
    for event in found:
        row = telling.row(event, zone)
        if row is None:
            filtered["LOAN_TOLD"] += 1
        else:
            rows.append({"_member": "", "_record": event.number, "_offset": 0, "_length": -1, **row})
    schema = arrow_schema(load(CONTRACT), source_columns=True)
    yield Read("loan", pa.RecordBatch.from_pylist(rows, schema=schema) if rows else None, filtered=dict(filtered))
    if telling.names.new:
        here = {"partner": work.partner.id, "_member": "", "_record": 0, "_offset": 0, "_length": -1}
        wanted = arrow_schema(load(LOAN_ALIAS), source_columns=True)
        yield Read(LOAN_ALIAS, pa.RecordBatch.from_pylist([here | one for one in telling.names.new], schema=wanted))


def incoming(table: str) -> str:
    """The contract that the journal's loans must keep when they come in."""
    return LOAN_ALIAS if table == LOAN_ALIAS else CONTRACT


def binder(work: Work) -> Binder:
    """Lake rows of the journal's loans: the patron becomes a pseudonym."""
    aliases = _aliases(work)

    def bind(table: str, rows: pa.RecordBatch) -> Iterator[Bound]:
        if table == LOAN_ALIAS:
            yield Bound(table, pa.table(rows))
            return
        patron = aliases.final(work.pseudonyms.of(rows.column("patron_id")))
        made = {
            "partner": pa.repeat(pa.scalar(work.partner.id), rows.num_rows),
            "patron": patron,
            "patron_is_alias": pa.repeat(pa.scalar(False), rows.num_rows),
            "key_id": pc.if_else(patron.is_valid(), pa.scalar(work.pseudonyms.key_id, pa.string()), pa.scalar(None, pa.string())),
        }
        columns = {name: rows.column(name) for name in SOURCE}
        for column in arrow_schema(load("loan")):
            given = column.name in rows.schema.names
            columns[column.name] = made.get(column.name, rows.column(column.name) if given else pa.nulls(rows.num_rows, column.type))
            columns[column.name] = columns[column.name].cast(column.type)
        yield Bound("loan", pa.table(columns))

    return bind


def mode(_delivery: Delivery, _table: str) -> Mode:
    """Events: nothing is deleted."""
    return "delta"


def _entries(work: Work) -> Iterator[Entry]:
    for member in work.members():
        for page in pages(member.stream):
            if page.uri != SUMMARY:
                yield from (Entry(*json.loads(line)) for line in page.content.splitlines())


def _seen(entries: Iterator[Entry], conflicting: set[int]) -> Iterator[Entry]:
    """The entries as they are; the numbers of those that report a conflict are put into the set."""
    for entry in entries:
        if is_conflict(entry.data):
            conflicting.add(entry.number)
        yield entry


def _aliases(work: Work) -> Aliases:
    return Aliases.of(work.lookup("patron_alias", ["alias", "patron"]))


def _lake(work: Work, found: list[Event]) -> Lake:
    """What the lake has of the items that these events are about."""
    barcodes = pa.array(sorted({one.item for one in found}), pa.string())
    items = work.find("item", ["item_id", "barcode"], ds.field("barcode").isin(barcodes))
    ids = {row["barcode"]: row["item_id"] for row in items.to_pylist()}
    named = ds.field("barcode").isin(barcodes) | ds.field("item_id").isin(pa.array(sorted(ids.values()), pa.string()))
    loans = work.find("loan", LOAN, named)
    number = pc.if_else(pc.equal(loans.column("event"), "renewal"), loans.column("event_id"), loans.column("loan_id"))
    others = loans.filter(pc.invert(pc.starts_with(number, KIOSK)))
    people = work.pseudonyms.of(pa.array(sorted({one.patron for one in found}), pa.string()))
    patrons = work.find("patron", ["patron", "institution"], ds.field("patron").isin(people))
    institutions = {row["patron"] for row in patrons.to_pylist() if row["institution"]}
    return Lake(ids, loans.to_pylist(), names(work.lookup(LOAN_ALIAS, ALIAS), others), institutions)
