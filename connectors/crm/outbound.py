"""`crm_sync` as the engine's outbound steps see it: selected, rendered in the CRM's own fields, sent, and read back row by row."""

from __future__ import annotations

import csv as csv_reader
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from connectors.crm import mapping
from connectors.crm.people import sources
from connectors.crm.results import Tally
from connectors.crm.select import select as select_due
from connectors.crm.sync_settings import CONTRACT, KINDS, CrmSync, Kind
from connectors.crm.systems import BulkSystem, system_of, takes_bulk
from include.engine.errors import SettingsError
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import Answer, Parts, Selected, Sending, Work

PART_ROWS, PART_BYTES = 200_000, 90 * 10**6
"""A bulk job takes 150 MB, counted in base64: at most 100 MB are to be uploaded (Bulk API 2.0, limits). What a crash leaves undone is done again."""
PIECE_ROWS = 20_000
"""Rows that are rendered at a time: a part ends before the piece that would make it too large."""


def reads(work: Work) -> Sequence[str]:
    """Identities: the contract names itself as reading them (`identity: true`)."""
    return tuple(sorted({table for source in sources(_flow(work)) for table in source.tables}))


def contract(work: Work) -> str:
    """One contract for every kind of record."""
    return CONTRACT


def select(work: Work) -> Iterator[Selected]:
    """See select.py."""
    return select_due(work, _flow(work))


def render(work: Work, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    """Parts in the order in which they are sent: what is named before what names it (guardians before children), removals last, backwards."""
    flow, found = _flow(work), _groups(rows)
    for kind in KINDS:
        for minor in (False, True):
            if count := found[kind, minor, "upsert"]:
                _upserts(flow, kind, minor, count, rows, parts)
    for kind in reversed(KINDS):
        if found[kind, False, "remove"]:
            _removals(flow, kind, rows, parts)


def _groups(rows: Callable[[], pa.RecordBatchReader]) -> Counter[tuple[str, bool, str]]:
    found: Counter[tuple[str, bool, str]] = Counter()
    for batch in rows():
        minor = pc.fill_null(batch.column("minor"), False)
        groups = pa.table({"kind": batch.column("kind"), "minor": minor, "change": batch.column("change")})
        for row in groups.group_by(["kind", "minor", "change"]).aggregate([([], "count_all")]).to_pylist():
            found[row["kind"], row["minor"], row["change"]] += row["count_all"]
    return found


def _those(rows: Callable[[], pa.RecordBatchReader], kind: str, change: str, minor: bool | None = None) -> Iterator[pa.Table]:
    for batch in rows():
        chosen = pc.and_(pc.equal(batch.column("kind"), kind), pc.equal(batch.column("change"), change))
        if minor is not None:
            chosen = pc.and_(chosen, pc.equal(pc.fill_null(batch.column("minor"), False), minor))
        some = pa.Table.from_batches([batch]).filter(chosen)
        for start in range(0, some.num_rows, PIECE_ROWS):
            yield some.slice(start, PIECE_ROWS)


def _upserts(flow: CrmSync, kind: Kind, minor: bool, count: int, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    bulk = takes_bulk(flow) and count >= flow.bulk_from
    form, number = ("bulk" if bulk else "records"), 0
    found = _those(rows, kind, "upsert", minor)
    table = next(found, None)
    while table is not None:
        number += 1
        with parts.part(f"{kind}{'-children' if minor else ''}-{number:04d}") as part:
            part.facts.update(kind=kind, change="upsert", form=form)
            size = 0
            while table is not None and part.records + table.num_rows <= PART_ROWS:
                made = mapping.mapped(table, flow, kind)
                plain = mapping.csv(made, header=size == 0) if bulk else mapping.json_lines(made)
                if size and size + len(plain) > PART_BYTES:
                    break
                part.write(plain)
                size += len(plain)
                part.records += table.num_rows
                table = next(found, None)


def _removals(flow: CrmSync, kind: Kind, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    """The keys alone: what is put in their place is no person's."""
    with parts.part(f"{kind}-removed") as part:
        part.facts.update(kind=kind, change="remove", form="keys", how=flow.on_withdrawal)
        part.write(json.dumps({"blank": mapping.blank(flow, kind)}).encode() + b"\n")
        for table in _those(rows, kind, "remove"):
            part.write("".join(f"{key}\n" for key in table.column("external_id").to_pylist()).encode())
            part.records += table.num_rows


def send(work: Work, sending: Sending) -> None:
    """Part by part: each is known to the ledger before it leaves, and every row of it is accounted for before the next one does."""
    flow = _flow(work)
    system = system_of(flow, work.credentials.get(flow.connection))
    for part in sending.parts:
        if part.done_at is not None:
            continue
        kind = cast(Kind, part.facts["kind"])
        their = flow.objects[kind]
        with sending.open(part) as plain:
            body = plain.read()
        sending.begin(part, f"{flow.system}://{flow.connection}/{their.object}")
        if part.facts["change"] == "remove":
            head, _, keys = body.decode().partition("\n")
            named = keys.split()
            tally = system.remove(their.object, their.key, named, json.loads(head)["blank"], delete=part.facts["how"] == "delete")
            sent: Mapping[str, Mapping[str, Any]] = {one: {their.key: one} for one in tally.refused}
        elif part.facts["form"] == "bulk":
            if not isinstance(system, BulkSystem):  # it was rendered for the system that the YAML named before
                raise SettingsError(
                    f"this part is a bulk file, and {flow.system} takes none.",
                    where=part.name,
                    do="Put the former system back into the YAML and clear the run; or answer no in `approve`, and the next sync takes all along.",
                )
            tally = system.bulk(part, their.object, their.key, body, _note(sending, part))
            named, sent = _csv_rows(body, their.key, tally)
        else:
            listed = mapping.from_json_lines(body)
            named = [one[their.key] for one in listed]
            tally = system.upsert(their.object, their.key, listed)
            sent = {one[their.key]: one for one in listed if one[their.key] in tally.refused}
        ranks = {name: number for number, name in enumerate(named, start=1)} if tally.refused else {}
        refused = tally.set_aside(kind, sent, ranks) if tally.refused else None
        sending.done(part, refused=refused, **tally.facts())


def _note(sending: Sending, part: Part) -> Callable[[list[dict[str, Any]]], None]:
    return lambda jobs: sending.note(part, jobs=jobs)


def _csv_rows(body: bytes, key: str, tally: Tally) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """The keys of all rows in their order, and the rows that were refused."""
    if not tally.refused:
        return [], {}
    named, refused = [], {}
    for row in csv_reader.DictReader(io.StringIO(body.decode("utf-8"), newline="")):
        named.append(row[key])
        if row[key] in tally.refused:
            refused[row[key]] = dict(row)
    return named, refused


def confirm(work: Work, parts: Sequence[Part]) -> Sequence[Answer]:
    """The CRM has said everything by then, row by row."""
    return ()


def _flow(work: Work) -> CrmSync:
    assert isinstance(work.flow, CrmSync)
    return work.flow
