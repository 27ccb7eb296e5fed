"""What has changed since the CRM last confirmed it: every record's digest against the one that was settled.

The lake's table `settled` is what the CRM has confirmed: `sent` with the digest of a record's content; `waits` where it refused it. Numbers
below ten stand for reasons: 1..9, why somebody was never sent; -1..-9, why a record was removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from connectors.crm.people import GONE, REASONS, everybody, sources, wanted
from connectors.crm.sync_settings import CrmSync, Kind
from connectors.crm.trouble import TRANSIENT
from include.engine.delivery import State
from include.engine.lake.rows import row_hash
from include.engine.ledger import deliveries, quarantined
from include.engine.ledger.quarantined import Fate
from include.engine.outbound.connector import Work
from include.engine.privacy.pseudonym import Pseudonyms

_THERE = "(NOT s.digest BETWEEN -9 AND 9 OR (s.digest < 0 AND s.outcome = 'waits'))"
"""SQL: the CRM may have the record `s`; a removal that it refused leaves it there."""

_DUE = """
    SELECT
        coalesce(CAST(f.kind AS VARCHAR), split_part(s.record, '/', 1)) AS kind,
        f.own AS own,
        coalesce(f.record, s.record) AS record,
        coalesce(f.why, {gone}) AS why,
        coalesce(f.digest, 0) AS digest,
        CASE
            WHEN f.why = 0 THEN CASE WHEN s.record IS NULL OR s.digest BETWEEN -9 AND 9 THEN 'new' ELSE 'change' END
            WHEN s.record IS NOT NULL AND {there} THEN 'remove'
            ELSE 'leave'
        END AS what
    FROM found f FULL JOIN settled s ON s.record = f.record
    WHERE {among} AND CASE
        WHEN f.record IS NULL THEN {there}
        WHEN s.record IS NULL THEN true
        WHEN f.why = 0 THEN s.digest <> f.digest OR {once_more}
        ELSE {there} OR (s.digest BETWEEN 1 AND 9 AND s.digest <> f.why)
    END
"""


_ONCE_MORE = "(s.outcome = 'waits' AND s.record IN (SELECT record FROM once_more))"


def _among(work: Work) -> str:
    """SQL: of a delivery that is sent once more, what it sent or was refused; of chosen records, these; else everything."""
    if work.lake.again is None:
        return "true"
    return "s._delivery = $again" if work.lake.only is None else "s.record IN (SELECT record FROM again)"


@dataclass(frozen=True)
class Delta:
    """`due`: kind, own, record, why, digest, what (new, change, remove, leave). `there`: records that the CRM had before; `unchanged`: those of
    them that are as they should be."""

    due: pa.Table
    there: int
    unchanged: int

    def of(self, what: str) -> pa.Table:
        """The records to which `what` is to be done."""
        return self.due.filter(pc.equal(self.due.column("what"), what))

    def counts(self) -> dict[str, dict[str, int]]:
        """How many, by kind and what: {"contact": {"new": 12, "change": 3}}."""
        found: dict[str, dict[str, int]] = {}
        for row in self.due.group_by(["kind", "what"]).aggregate([("record", "count")]).to_pylist():
            if row["what"] != "leave":
                found.setdefault(row["kind"], {})[row["what"]] = row["record_count"]
        return found


def delta(work: Work, flow: CrmSync, names: Names, connection: Any) -> Delta:
    """Compare everybody with what was settled. Reads the lake's streams once; a record takes about a hundred bytes of memory."""
    parts = [
        part
        for source in sources(flow)
        for batch in everybody(work, flow, source, wanted(flow, source), connection)
        for part in _found(batch, flow, names)
    ]
    found = pa.Table.from_batches(parts, schema=_FOUND)
    connection.register("found", found)
    connection.register("once_more", pa.table({"record": pa.array(sorted(_transient(work)), pa.string())}))
    query = _DUE.format(there=_THERE, gone=GONE, among=_among(work), once_more=_ONCE_MORE if work.lake.again is None else "true")
    asked = {"again": work.lake.again} if "$again" in query else None
    due = connection.sql(query, params=asked).to_arrow_table()
    there = connection.sql(f"SELECT count(*) FROM settled s WHERE {_THERE}").fetchall()[0][0]  # noqa: S608
    same = (
        "SELECT count(*) FROM found f JOIN settled s ON s.record = f.record WHERE f.why = 0 AND s.outcome = 'sent' AND s.digest = f.digest"
    )
    unchanged = connection.sql(same).fetchall()[0][0]
    return Delta(due.cast(_DUE_SCHEMA), int(there), int(unchanged))


_FOUND = pa.schema([("kind", pa.string()), ("own", pa.string()), ("record", pa.string()), ("why", pa.uint8()), ("digest", pa.int64())])
_DUE_SCHEMA = pa.schema([("kind", pa.string()), *list(_FOUND)[1:], ("what", pa.string())])


class Names:
    """A record's name, `contact/<external id>`: a keyed pseudonym of the purpose `crm`, of a patron's pseudonym or a record's own number."""

    def __init__(self, work: Work) -> None:
        self._pseudonyms = Pseudonyms(work.keys, work.partner.id, "crm")

    def external(self, own: pa.Array, kind: Kind | None = None) -> pa.Array:
        """External ids of what is known in the lake as `own`: a patron's is the same as contact and as account."""
        led = own if kind in {None, "contact", "account"} else pc.binary_join_element_wise(pa.scalar(f"{kind} "), own, "")
        return self._pseudonyms.of(led)


def _found(batch: pa.RecordBatch, flow: CrmSync, names: Names) -> Iterator[pa.RecordBatch]:
    """The name and digest of each row, kind by kind."""
    kinds = batch.column("kind")
    for kind in pc.unique(kinds).to_pylist():
        some = batch.filter(pc.equal(kinds, kind))
        digests = digest(some, flow, kind) if kind in flow.objects else np.zeros(some.num_rows, np.int64)
        records = pc.binary_join_element_wise(pa.scalar(f"{kind}/"), names.external(some.column("own"), kind), "")
        own = pa.nulls(some.num_rows, pa.string()) if kind not in flow.objects else some.column("own")
        columns = [some.column("kind"), own, records, some.column("why"), pa.array(digests)]
        yield pa.RecordBatch.from_arrays([one.cast(field.type) for one, field in zip(columns, _FOUND, strict=True)], schema=_FOUND)


def digest(rows: pa.RecordBatch, flow: CrmSync, kind: Kind) -> Any:
    """What tells two states of a record apart: the columns that its fields are made of, and the mapping itself."""
    hashed = np.asarray(row_hash(rows, sorted(flow.columns(kind) & set(rows.schema.names)))) ^ np.int64(fingerprint(flow, kind))
    return np.where(np.abs(hashed) < 10, hashed + 1000, hashed)


def fingerprint(flow: CrmSync, kind: Kind) -> int:
    """Of the mapping: when it is another, every record is another."""
    told = [
        flow.system,
        flow.deep_link,
        flow.objects[kind].model_dump(exclude={"sent"}),
        flow.objects.get("contact", flow.objects[kind]).key,
    ]
    return int(np.uint64(xxhash.xxh3_64_intdigest(json.dumps(told, sort_keys=True).encode())).view(np.int64))


def _transient(work: Work) -> set[str]:
    """Records that were refused for nothing of their own: locked, or not reached. Only what went can tell: each sync that goes takes along those of
    the one before it, however many in between came to nothing."""
    ledger = work.lake.engine.ledger
    went = [State.PUBLISHED, State.ACKNOWLEDGED]
    mine = {one.id for one in deliveries.find(ledger, partner=work.partner.id, flow=work.delivery.flow, states=went, limit=10)}
    found = {
        one
        for code in TRANSIENT
        for id in mine
        for one in quarantined.find(ledger, delivery_id=id, reason=code, state=Fate.OPEN, limit=1_000_000)
    }
    return {one.member for one in found}


def reasons(why: pa.Array) -> pa.Array:
    """The reason code of each number."""
    return pa.array([REASONS.get(one) for one in range(max(REASONS) + 1)], pa.string()).take(why.cast(pa.int64()))
