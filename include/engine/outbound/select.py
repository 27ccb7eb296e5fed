"""Select and gate: what is due is read from the lake at pinned versions, held against its contract, and staged, sealed."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include.engine.contract.model import Contract
from include.engine.delivery import Counts, Delivery, State, Token
from include.engine.durable import write_whole
from include.engine.engine import Engine
from include.engine.errors import Held, Refused
from include.engine.failpoints import point
from include.engine.gate.result import Verdict
from include.engine.inbound.aside import Aside
from include.engine.inbound.ending import ending
from include.engine.inbound.judging import judge
from include.engine.inbound.work import UNFINISHED, Outcome, json_counts, key_of, nothing_to_do, staging
from include.engine.ledger import claims, gate_results, parts
from include.engine.outbound.connector import DIGEST, LEFT, RECORD, Outbound, Selected, Work
from include.engine.outbound.work import LATE, LEFT_OUT, ROWS, counts_of, work_on
from include.engine.privacy.guard import guard
from include.engine.reasons import words
from include.engine.spool import SpoolWriter


def select(engine: Engine, delivery_id: str, connector: Outbound) -> Outcome:
    """Stage what is due; it ends `staged`, `blocked` (the contract says no, or an earlier delivery is in doubt) or `held` (far more or less
    than the partner's YAML says). Cleared before anything left, it is done again with today's settings and lake; after that, what was
    selected stays. Raises Refused, Held, StaleToken, Unreachable and whatever a setting lacks."""
    delivery = claims.begin(engine.ledger, delivery_id)
    if delivery.state not in UNFINISHED:
        return nothing_to_do(delivery)
    token = claims.take(engine.ledger, delivery.id, "select")
    point("select.claimed")
    if parts.fixed(engine.ledger, delivery.id):
        return _as_it_was(engine, delivery, token)
    with ending(engine, token):
        _nothing_in_doubt(engine, delivery)
        work = work_on(engine, delivery, connector, anew=True)
        claims.note(engine.ledger, token, as_of=work.as_of.isoformat(), pins=dict(work.lake.pins))
        run = _Run(engine, work, connector, token)
    with ending(engine, token, run.counts, run.record, run.aside.seal):
        run.stage()
        run.aside.seal()
        point("select.written")
        counts = run.counts()
        _in_range(work, counts)
        with engine.ledger.begin() as tx:
            run.record(tx)
            staged = claims.advance(
                engine.ledger,
                token,
                State.STAGED,
                tx=tx,
                staged_uri=str(run.folder.relative_to(engine.home)),
                counts=counts,
                contract={run.contract.id: run.contract.version},
                reason=None,
                message=None,
                filtered=json_counts(run.filtered),
                warnings=json_counts(run.warnings),
                selected=asdict(counts),
                unchanged=run.unchanged,
            )
    point("select.recorded")
    said = f"{counts.in_:,} records, {counts.published:,} to send, {counts.quarantined:,} set aside, {counts.filtered:,} filtered"
    return Outcome(delivery.id, staged.state, said)


def _as_it_was(engine: Engine, delivery: Delivery, token: Token) -> Outcome:
    """Part of it may have left: what was selected is what it is."""
    if delivery.state == State.CLAIMED:
        counts = counts_of(delivery.facts["selected"])
        delivery = claims.advance(engine.ledger, token, State.STAGED, counts=counts, reason=None, message=None)
    return Outcome(delivery.id, delivery.state, "part of it may have left: what was selected stays as it is")


def _nothing_in_doubt(engine: Engine, delivery: Delivery) -> None:
    """What an earlier delivery may have brought must not go a second time: nobody can tell until that one has ended."""
    doubt = parts.in_doubt(engine.ledger, delivery.partner, delivery.lane, delivery.arrival)
    if doubt is not None:
        values = {"value": doubt}
        raise Refused(
            words("OUTBOUND_IN_DOUBT", "en", **values),
            where=delivery.id,
            do="Clear that run from its task select on: it asks the receiver, and ends. Then clear this one.",
            code="OUTBOUND_IN_DOUBT",
            values=values,
        )


def _in_range(work: Work, counts: Counts) -> None:
    """Hold a delivery that is far smaller or larger than the partner's YAML says, unless a person has approved it."""
    records = work.flow.records
    if records and not records[0] <= counts.published <= records[1] and not work.delivery.facts.get("approved"):
        values = {"count": counts.published, "limit": f"{records[0]:,}..{records[1]:,}"}
        code = "RECORDS_OUT_OF_RANGE"
        raise Held(words(code, "en", **values), where=work.delivery.id, code=code, values=values)


class _Run:
    """One try of the step."""

    def __init__(self, engine: Engine, work: Work, connector: Outbound, token: Token) -> None:
        self.engine, self.work, self.connector = engine, work, connector
        self.key = key_of(engine, work.delivery)
        self.folder: Path = staging(engine, work.delivery, token.value)
        self.aside = Aside(engine, work.delivery, token, self.key)
        self.contract: Contract = engine.contract(connector.contract(work))
        self.verdict: Verdict | None = None
        self.read = 0
        self.filtered: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.unchanged = 0

    def counts(self) -> Counts:
        """What is known until now."""
        filtered, total = self.filtered.total(), self.read + self.filtered.total()
        published = self.read - self.aside.rows
        return Counts(in_=total, quarantined=self.aside.rows, filtered=filtered, published=published, warnings=self.warnings.total())

    def record(self, tx: sa.Connection) -> None:
        """Enter what was set aside and what each rule said."""
        self.aside.enter(tx)
        if self.verdict is not None:
            id, contract = self.work.delivery.id, self.contract
            gate_results.add(self.engine.ledger, id, "outbound", contract.id, contract.version, self.verdict.results, tx=tx)

    def stage(self) -> None:
        """Read what is due, judge it, and write it: the accepted rows, and the records that are left out."""
        gate = judge(self.engine, self.contract, self.work.delivery, self.work.today)
        late: list[int] = []
        kept_back = 0
        with ExitStack() as stack:
            self.folder.mkdir(parents=True, exist_ok=True)
            left = stack.enter_context(SpoolWriter(self.folder / LEFT_OUT, LEFT, self.key))
            rows: SpoolWriter | None = None
            for found in self.connector.select(self.work):
                self.warnings.update(found.warnings)
                self.unchanged += found.unchanged
                self._leave(found, left)
                if found.rows is None or not found.rows.num_rows:
                    continue
                batch = _placed(found.rows, self.read)
                self.read += batch.num_rows
                guarded = guard(pa.table(batch), self.contract)
                self._set_aside(batch, guarded.set_aside, left)
                kept_back += guarded.set_aside.num_rows
                for free in guarded.rows.combine_chunks().to_batches():
                    split = gate.split(free)
                    self._set_aside(free, split.set_aside, left)
                    rows = rows or stack.enter_context(SpoolWriter(self.folder / ROWS, split.accepted.schema, self.key))
                    rows.write(split.accepted)
                point("select.batch")
            self.verdict = gate.verdict(set_aside_before=kept_back)
            late = self.verdict.late_positions.tolist()
            self.aside.add(self.verdict.late)
        write_whole(self.folder / LATE, json.dumps(late).encode())
        for result in self.verdict.results:
            if result.severity == "warn" and result.failed:
                self.warnings[result.reason] += result.failed
        if not self.verdict.passed:
            bad, seen = self.aside.rows, self.read
            values = {"count": bad, "value": seen, "limit": f"{self.contract.block_above:.0%}"}
            code = self.verdict.reason or "DELIVERY_REFUSED"
            raise Refused(self.verdict.message, where=self.work.delivery.id, code=code, values=values)

    def _leave(self, found: Selected, left: SpoolWriter) -> None:
        if found.left is not None and found.left.num_rows:
            counted = pc.value_counts(found.left.column("reason").combine_chunks())
            self.filtered.update({one["values"]: one["counts"] for one in counted.to_pylist()})
            left.write(found.left.cast(LEFT))

    def _set_aside(self, batch: pa.RecordBatch, found: pa.Table, left: SpoolWriter) -> None:
        """Set rows aside, and note their records as waiting: they are asked again once they are mended."""
        if not found.num_rows:
            return
        self.aside.add(found)
        at = pc.index_in(found.column("record").combine_chunks(), value_set=batch.column("_record"))
        waits = pa.repeat(pa.scalar("waits"), found.num_rows)
        digest = batch.column(DIGEST).take(at) if DIGEST in batch.schema.names else pa.nulls(found.num_rows, pa.int64())
        reasons = found.column("reason").combine_chunks()
        left.write(pa.RecordBatch.from_arrays([batch.column(RECORD).take(at), reasons, waits, digest], schema=LEFT))


def _placed(rows: pa.RecordBatch, before: int) -> pa.RecordBatch:
    """The rows with source columns in front, where the connector gave none: a record's name stands for the file's."""
    if "_record" in rows.schema.names:
        return rows
    count = rows.num_rows
    numbers = pa.array(np.arange(before + 1, before + 1 + count, dtype=np.int64))
    zeros, unknown = pa.array(np.zeros(count, np.int64)), pa.array(np.full(count, -1, np.int32))
    columns = {"_member": rows.column(RECORD), "_record": numbers, "_offset": zeros, "_length": unknown}
    columns |= {name: rows.column(name) for name in rows.schema.names}
    return pa.RecordBatch.from_pydict(columns)
