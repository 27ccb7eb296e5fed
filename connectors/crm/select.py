"""What goes to the CRM now: new and changed records in the contract's columns, records to be removed, and those who stay out and why."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter
from typing import Any, cast
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from connectors.crm.delta import Delta, Names, delta, reasons
from connectors.crm.diff import shown
from connectors.crm.people import Source, sources, these, wanted
from connectors.crm.sync_settings import CONTRACT, LINKS, CrmSync
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.errors import Held, SettingsError
from include.engine.ledger import deliveries
from include.engine.outbound.connector import DIGEST, LEFT, RECORD, Selected, Work
from include.engine.reasons import words

LONGEST, TOO_LONG = 32_000, "CRM_TEXT_TOO_LONG"
"""Letters of a field that any bulk job takes (Bulk API, limits): one value that is longer fails the job with all others in it."""
_AT_ONCE = 100_000
_ALWAYS = frozenset({"consent", "protected", "minor"})


def select(work: Work, flow: CrmSync) -> Iterator[Selected]:
    """Everything that is due, in batches. Held CRM_MANY_CHANGES when that is more than the brake lets pass and nobody has approved it."""
    names = Names(work)
    with work.lake.connect() as connection:
        found = delta(work, flow, names, connection)
        _say_where(found, work, flow)
        brake(found, work, flow)
        yield Selected(unchanged=found.unchanged)
        upserts = pa.concat_tables([found.of("new"), found.of("change")])
        for source in sources(flow):
            mine = upserts.filter(pc.is_in(upserts.column("kind"), value_set=pa.array(source.kinds)))
            if mine.num_rows:
                yield from _upserts(work, flow, source, mine.select(["kind", "own", "record", "digest"]), names, connection)
    yield from _removals(found.of("remove"))
    yield from _stay_out(found.of("leave"))


def _say_where(found: Delta, work: Work, flow: CrmSync) -> None:
    """A record is taken out of the CRM by its object and key, and only the YAML knows those."""
    lost = sorted(kind for kind, counts in found.counts().items() if "remove" in counts and kind not in flow.objects)
    if lost:
        raise SettingsError(
            f"the CRM has records of the kind {', '.join(lost)}, and the YAML no longer says where.",
            where=work.partner.where(),
            do="Put the kind back under `objects`; with `sent: false` its records are taken out of the CRM.",
        )


def brake(found: Delta, work: Work, flow: CrmSync) -> None:
    """Hold a sync that would change much of what is there: a mapping gone wrong, an empty register, a library that left. A person's yes is
    for what was shown to them: what is due by now may be more by as much as never asks, and not by more."""
    limits, counts, yes = flow.brake, found.counts(), approved(work)
    total = {what: sum(kinds.get(what, 0) for kinds in counts.values()) for what in ("new", "change", "remove")}
    much = [
        (sum(total.values()), limits.changed, "all"),
        (total["remove"], limits.removed, "remove"),
    ]
    if work.lake.again is not None:  # a person chose these records; but what has to go by now may be another
        del much[0]
    over = [
        (count, share)
        for count, share, what in much
        if count > share * found.there and count > limits.least and not (yes and count <= yes[what] + limits.least)
    ]
    if not over or not found.there:
        return
    count, share = over[-1]
    values = {"count": count, "value": f"{found.there:,}", "limit": f"{share:.0%}", "expected": diff(counts)}
    code = "CRM_MANY_CHANGES"
    raise Held(words(code, "en", **values), where=work.delivery.id, code=code, values=values, shown=shown(work, flow, found))


def approved(work: Work) -> dict[str, int]:
    """How many changes in `all`, and to `remove`, a person has said yes to; empty where nobody was asked."""
    if not work.delivery.facts.get("approved") or work.delivery.origin is None:
        return {}
    seen = deliveries.get(work.lake.engine.ledger, work.delivery.origin).facts.get("shown", {}).get("counts", {})
    return {
        "all": sum(count for kinds in seen.values() for count in kinds.values()),
        "remove": sum(kinds.get("remove", 0) for kinds in seen.values()),
    }


def diff(counts: dict[str, dict[str, int]]) -> str:
    """`contact 12 new, 300 changed, 5 removed; account 1 new`."""
    called = {"new": "new", "change": "changed", "remove": "removed"}
    return "; ".join(
        f"{kind} " + ", ".join(f"{whats[what]:,} {word}" for what, word in called.items() if what in whats)
        for kind, whats in sorted(counts.items())
    )


def _upserts(work: Work, flow: CrmSync, source: Source, due: pa.Table, names: Names, connection: Any) -> Iterator[Selected]:
    columns = _available(source, wanted(flow, source) | _ALWAYS)
    for batch in these(work, flow, source, columns, due, connection):
        rows = _as_contract(batch, flow, names)
        long = _too_long(rows)
        if long is None:
            yield Selected(rows)
        else:
            yield Selected(rows.filter(pc.invert(long)), left=_left(rows.filter(long), TOO_LONG))


def _too_long(rows: pa.RecordBatch) -> pa.Array | None:
    """Rows with a text that is longer than LONGEST; None where there is none, as nearly always."""
    found = None
    for name in load(CONTRACT).names:
        column = rows.column(name)
        if pa.types.is_string(column.type) and (pc.max(pc.binary_length(column)).as_py() or 0) > LONGEST:
            long = pc.fill_null(pc.greater(pc.utf8_length(column), LONGEST), False)
            found = long if found is None else pc.or_(found, long)
    return found


def _left(rows: pa.RecordBatch, reason: str) -> pa.Table:
    """They wait until they are another."""
    reasons_, waits = (pa.repeat(pa.scalar(word), rows.num_rows) for word in (reason, "waits"))
    return cast(pa.Table, pa.Table.from_arrays([rows.column(RECORD), reasons_, waits, rows.column(DIGEST)], schema=LEFT))


def _available(source: Source, columns: set[str]) -> set[str]:
    return {name for name in columns if f" {name}," in source.sql or f".{name}," in source.sql}


def _as_contract(batch: pa.RecordBatch, flow: CrmSync, names: Names) -> pa.RecordBatch:
    """The batch in the contract's columns: keys of the CRM in place of the lake's, and the deep link."""
    rows = pa.table(batch)
    record = rows.column("record")
    made: dict[str, Any] = {
        "external_id": pc.utf8_slice_codeunits(record, start=-32, stop=None),
        "change": pa.repeat(pa.scalar("upsert"), rows.num_rows),
    }
    for name in ("guardian", "about"):
        if name in rows.column_names:
            made[name] = names.external(rows.column(name).combine_chunks())
    made["deep_link"] = links(flow.deep_link, rows.append_column("external_id", made["external_id"]))
    columns = {name: made.get(name, rows.column(name) if name in rows.column_names else None) for name in load(CONTRACT).names}
    return _rows(columns, record, rows.column("digest"), rows.num_rows)


def links(template: str, rows: pa.Table) -> pa.Array:
    """The address of each row's record in the library system; null where the template names something that the row does not have."""
    named = sorted({name for _, name, _, _ in Formatter().parse(template) if name} & LINKS)
    given = [rows.column(name).to_pylist() if name in rows.column_names else [None] * rows.num_rows for name in named]
    made = [
        template.format(**{name: quote(value, safe="") for name, value in zip(named, row, strict=True)}) if all(row) else None
        for row in zip(*given, strict=True)
    ]
    return pa.array(made if named else [template] * rows.num_rows, pa.string())


def _removals(due: pa.Table) -> Iterator[Selected]:
    for batch in due.to_batches(_AT_ONCE):
        record = batch.column("record")
        columns: dict[str, Any] = {
            "kind": batch.column("kind"),
            "external_id": pc.utf8_slice_codeunits(record, start=-32, stop=None),
            "change": pa.repeat(pa.scalar("remove"), batch.num_rows),
        }
        yield Selected(_rows(columns, record, pc.negate(batch.column("why").cast(pa.int64())), batch.num_rows))


def _rows(columns: dict[str, Any], record: Any, digest: Any, count: int) -> pa.RecordBatch:
    schema = arrow_schema(load(CONTRACT))
    arrays = [
        pa.nulls(count, field.type) if columns.get(field.name) is None else _flat(columns[field.name]).cast(field.type) for field in schema
    ]
    full = schema.append(pa.field(RECORD, pa.string())).append(pa.field(DIGEST, pa.int64()))
    return pa.RecordBatch.from_arrays([*arrays, _flat(record), _flat(digest)], schema=full)


def _flat(values: Any) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _stay_out(due: pa.Table) -> Iterator[Selected]:
    """They wait: asked again when there is another reason, or none any more."""
    for batch in due.to_batches(_AT_ONCE):
        columns = [
            batch.column("record"),
            reasons(batch.column("why")),
            pa.repeat(pa.scalar("waits"), batch.num_rows),
            batch.column("why").cast(pa.int64()),
        ]
        yield Selected(left=cast(pa.Table, pa.Table.from_arrays(columns, schema=LEFT)))
