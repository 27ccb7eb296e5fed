"""Gate and bind: rows that came in are held against the incoming contract, bound by the connector, and held against the lake's contract.

Two passes over the staged rows, so that a delivery of any size fits: the first gate says which rows go no further, also by what only the whole
shows (a key that comes twice), and the second pass leaves them out. What is bound is written as it comes; the second gate's positions are left
out by whoever reads it. The next rows are read and bound while Great Expectations judges these, as narrow as its rules need them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa

from include.engine.ahead import ahead
from include.engine.contract.model import Contract
from include.engine.crypto.keys import DataKey
from include.engine.delivery import Counts, Delivery, State
from include.engine.durable import write_whole
from include.engine.engine import Engine
from include.engine.errors import Refused
from include.engine.failpoints import point
from include.engine.gate.gate import CHUNK, Gate
from include.engine.gate.narrow import Narrow
from include.engine.gate.result import Verdict
from include.engine.inbound.aside import Aside
from include.engine.inbound.connector import Inbound, Work
from include.engine.inbound.ending import ending
from include.engine.inbound.gather import Gather, gathered
from include.engine.inbound.judging import Judging, judge
from include.engine.inbound.originals import with_originals
from include.engine.inbound.others import others
from include.engine.inbound.spared import Spared
from include.engine.inbound.stage import MANIFEST
from include.engine.inbound.work import Outcome, json_counts, key_of, nothing_to_do, staging, work_on
from include.engine.lake.plan import Rows, brake, plan, would_delete
from include.engine.lake.table import Lake
from include.engine.ledger import claims, deliveries, gate_results
from include.engine.privacy.guard import Guarded, guard
from include.engine.spool import Spools, open_spool

LATE = "late.json"
"""Positions of gated rows, by table, that go no further: the lake's gate refused them, or they repeat a key."""
ENOUGH = 16 << 20
"""Bytes of staged rows that are bound as they come, and not gathered with others first."""


def gate(engine: Engine, delivery_id: str, connector: Inbound) -> Outcome:
    """Judge and bind a staged delivery; it ends `gated`, `blocked` (a contract says no) or `held` (a brake asks for a person)."""
    delivery = deliveries.get(engine.ledger, delivery_id)
    if delivery.state not in {State.STAGED, State.GATED}:
        return nothing_to_do(delivery)
    token = claims.take(engine.ledger, delivery.id, "gate")
    run = _Run(
        engine, delivery, connector, Aside(engine, delivery, token, key_of(engine, delivery)), staging(engine, delivery, token.value)
    )
    with ending(engine, token, run.counts, run.record, run.aside.seal):
        with run.spared:
            run.incoming()
            run.lake()
        run.deletions()
        run.aside.seal()
        point("gate.bound")
        with engine.ledger.begin() as tx:
            run.record(tx)
            gated = claims.advance(
                engine.ledger,
                token,
                State.GATED,
                tx=tx,
                gated_uri=str(run.folder.relative_to(engine.home)),
                counts=run.counts(),
                contract={contract.id: contract.version for _, contract, _ in run.verdicts},
                reason=None,
                message=None,
                **run.facts(),
            )
    point("gate.recorded")
    words = f"{gated.counts.in_:,} records, {gated.counts.quarantined:,} set aside, {gated.counts.warnings:,} warnings"
    return Outcome(delivery.id, gated.state, words, tuple(run.tables))


class _Run:
    """One try of the gate step."""

    def __init__(self, engine: Engine, delivery: Delivery, connector: Inbound, aside: Aside, folder: Path) -> None:
        self.engine, self.delivery, self.connector, self.aside, self.folder = engine, delivery, connector, aside, folder
        self.key: DataKey = key_of(engine, delivery)
        self.work: Work = work_on(engine, delivery)
        self.staged = engine.home / str(delivery.staged_uri)
        self.rows: dict[str, int] = json.loads((self.staged / MANIFEST).read_text())
        self.spared = Spared(engine, delivery, connector, self.work, self.staged, folder)
        self.verdicts: list[tuple[str, Contract, Verdict]] = []
        self.out: dict[str, npt.NDArray[np.int64]] = {}  # positions of staged rows that the first gate did not let through
        self.tables: dict[str, int] = {}
        self.late: dict[str, list[int]] = {}  # positions of gated rows that go no further, by table
        self.own = 0  # source records that the gates set aside: rows of the delivery's own table
        self.derived: Counter[str] = Counter()  # rows of other tables that were set aside, such as items inside a bibliographic record
        self.warnings: Counter[str] = Counter(delivery.facts.get("read_warnings", {}))

    def counts(self) -> Counts:
        """What is known until now, in source records."""
        read = self.delivery.counts
        return Counts(
            in_=read.in_,
            quarantined=self.read_aside + self.own,
            filtered=read.filtered,
            published=read.in_ - self.read_aside - self.own - read.filtered,
            warnings=self.warnings.total(),
        )

    def record(self, tx: sa.Connection) -> None:
        """Enter what was set aside and what each rule said."""
        self.aside.enter(tx)
        for handoff, contract, verdict in self.verdicts:
            gate_results.add(self.engine.ledger, self.delivery.id, handoff, contract.id, contract.version, verdict.results, tx=tx)

    @property
    def read_aside(self) -> int:
        """What the reader set aside; a second try of the gate must not count the first one's finds."""
        return int(self.delivery.facts.get("read_aside", self.delivery.counts.quarantined))

    def facts(self) -> dict[str, object]:
        """For the receipt and the board."""
        before = Counter(self.delivery.facts.get("derived_aside", {}))
        derived = {
            table: {"rows": self.rows[table] + before[table], "set_aside": self.derived[table] + before[table]}
            for table in self.rows
            if table != self.delivery.table
        }
        return {"warnings": json_counts(self.warnings), "derived": derived, "tables": self.tables, "read_aside": self.read_aside}

    def incoming(self) -> None:
        """First gate: which staged rows go no further. A delivery of which nothing could be read is judged too: all of it is bad."""
        own = self.delivery.table
        if own not in self.rows and self.read_aside:
            contract = self.engine.contract(self.connector.incoming(own))
            self._decide("incoming", contract, self._judge(contract).verdict(set_aside_before=self.read_aside), own, self.read_aside)
        for table in self.rows:
            contract = self.engine.contract(self.connector.incoming(table))
            judging, narrow = Judging(self._judge(contract)), Narrow(contract, self.spared.own)
            with (
                open_spool(self.staged / f"{table}.staged", self.key) as reader,
                ahead(gathered(map(narrow.of, reader), CHUNK)) as batches,
            ):
                for batch in batches:
                    split = judging.split(batch)
                    self._set_aside(table, split.set_aside)
                    self.spared.came(table, batch, split.positions, reader.schema)
                    point("gate.split")
            before = self.read_aside if table == self.delivery.table else 0
            late = self._decide("incoming", contract, judging.gate.verdict(set_aside_before=before), table, before)
            self.out[table] = judging.refused(late)

    def lake(self) -> None:
        """Bind what was accepted, second gate, brakes: staged -> gated. What the gate refuses is among the gated rows, and `late` names it."""
        judges: dict[str, Judging] = {}
        with Spools(self.folder, "gated", self.key) as gated, ahead(self._guarded()) as guarded:
            for source, bound_table, batch in self._gathered(guarded, gated):
                if bound_table not in judges:
                    judges[bound_table] = Judging(self._judge(self.engine.contract(bound_table)))
                split = judges[bound_table].split(batch)
                self._set_aside(source, split.set_aside, own=bound_table == self.delivery.table)
                self.spared.bound(bound_table, pa.table(batch).take(pa.array(split.positions)))
            self.tables = gated.rows
        for table, judging in judges.items():
            positions = judging.refused(self._decide("lake", judging.gate.contract, judging.gate.verdict(), table))
            self.late[table] = positions.tolist()
            self.tables[table] -= len(positions)
        self.folder.mkdir(parents=True, exist_ok=True)  # nothing was written yet where nothing was accepted
        write_whole(self.folder / LATE, json.dumps(self.late).encode())
        self.spared.bind()

    def _gathered(self, guarded: Iterator[_Guarded], gated: Spools) -> Iterator[tuple[str, str, pa.RecordBatch]]:
        """(source table, bound table, narrow rows): what the guard let through, written as it comes, and for the gate in batches of even size."""
        waiting: dict[str, Gather] = {}
        source = ""
        for one in guarded:
            self.warnings.update(one.warned)
            self._set_aside(one.source, one.found.set_aside, own=one.table == self.delivery.table)
            self.spared.bound(one.table, one.found.kept_back)
            if one.source != source:
                yield from _rest(source, waiting)
                source, waiting = one.source, {}
            if one.found.rows.num_rows:
                gated.write(one.table, one.found.rows)
            for narrow in one.narrow:
                for batch in waiting.setdefault(one.table, Gather(CHUNK)).add(narrow):
                    yield source, one.table, batch
        yield from _rest(source, waiting)

    def deletions(self) -> None:
        """What a full export deletes: only that deletes what it does not name. It is held when that is too much."""
        full = [table for table in self.tables if self.connector.mode(self.delivery, table) == "full"]
        if self.delivery.table in full and self.spared.unknown:
            theirs = others(self.engine, self.delivery, self.delivery.table)
            missing = would_delete(*self._compared(self.delivery.table), self.spared.of(self.delivery.table), theirs)
            self.warnings.update(self.spared.withhold(missing))
        if not self.delivery.facts.get("approved"):
            for table in full:
                compared = self._compared(table)
                theirs = others(self.engine, self.delivery, table)
                brake(plan(*compared, "full", spared=self.spared.of(table), others=theirs), compared[1], self.delivery.partner)

    def _compared(self, table: str) -> tuple[Lake, Contract, str, Rows]:
        rows = GatedRows(self.folder, table, self.key, np.asarray(self.late[table], dtype=np.int64))
        return self.engine.lake, self.engine.contract(table), self.delivery.partner, rows.reader

    def _guarded(self) -> Iterator[_Guarded]:
        """What is bound, looked through for identity numbers."""
        bind = self.connector.binder(self.work)
        narrows: dict[str, Narrow] = {}
        # The delivery's own table first: what it brings along (items inside a record) refers to it.
        for table in sorted(self.rows, key=lambda name: name != self.delivery.table):
            with open_spool(self.staged / f"{table}.staged", self.key) as reader:
                for batch in gathered(without(reader, self.out[table]), CHUNK, enough=ENOUGH):
                    for bound in bind(table, batch):
                        contract = self.engine.contract(bound.table)
                        found = guard(bound.rows, contract)
                        if bound.table not in narrows:
                            narrows[bound.table] = Narrow(contract, self.spared.own)
                        narrow = [narrows[bound.table].of(rows) for rows in found.rows.to_batches()]
                        yield _Guarded(table, bound.table, found, narrow, dict(bound.warnings))

    def _judge(self, contract: Contract) -> Gate:
        return judge(self.engine, contract, self.delivery, self.work.today)

    def _set_aside(self, table: str, rows: pa.Table, *, own: bool = True) -> None:
        if not rows.num_rows:
            return
        self.aside.add(with_originals(self.work, rows))
        if own and table == self.delivery.table:
            self.own += rows.num_rows
        else:
            self.derived[table] += rows.num_rows

    def _decide(self, handoff: str, contract: Contract, verdict: Verdict, table: str, before: int = 0) -> npt.NDArray[np.int64]:
        """Note the verdict; Refused when it blocks. Returns the positions of accepted rows to be taken out again."""
        self.verdicts.append((handoff, contract, verdict))
        self._set_aside(table, verdict.late, own=table == self.delivery.table)
        for result in verdict.results:
            if result.severity == "warn" and result.failed:
                self.warnings[result.reason] += result.failed
        if not verdict.passed:
            bad, seen = verdict.quarantined + before, verdict.rows_in + before
            values = {"count": bad, "value": seen, "limit": f"{contract.block_above:.0%}"}
            raise Refused(verdict.message, where=self.delivery.id, code=verdict.reason or "DELIVERY_REFUSED", values=values)
        return verdict.late_positions


class GatedRows:
    """The rows of one lake table that passed both gates, read anew each time they are asked for."""

    def __init__(self, folder: Path, table: str, key: DataKey, late: npt.NDArray[np.int64]) -> None:
        self._path, self._key, self._late = folder / f"{table}.gated", key, late

    @classmethod
    def of(cls, engine: Engine, delivery: Delivery, table: str) -> GatedRows:
        """Those of a gated delivery."""
        folder = engine.home / str(delivery.gated_uri)
        late = json.loads((folder / LATE).read_text()).get(table, [])
        return cls(folder, table, key_of(engine, delivery), np.asarray(late, dtype=np.int64))

    def reader(self) -> pa.RecordBatchReader:
        """A stream of them from the start; its file is closed when it is read to its end or forgotten."""
        opened = open_spool(self._path, self._key)
        stream = opened.__enter__()

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                with ahead(without(stream, self._late)) as rows:
                    yield from rows
            finally:
                opened.__exit__(None, None, None)

        return pa.RecordBatchReader.from_batches(stream.schema, batches())


@dataclass(frozen=True)
class _Guarded:
    """Rows of a bound table that were looked through for identity numbers: as they are, and as narrow as its gate needs them."""

    source: str
    table: str
    found: Guarded
    narrow: list[pa.RecordBatch]
    warned: dict[str, int]


def _rest(source: str, waiting: Mapping[str, Gather]) -> Iterator[tuple[str, str, pa.RecordBatch]]:
    for table, gather in waiting.items():
        for batch in gather.rest():
            yield source, table, batch


def without(batches: Iterator[pa.RecordBatch] | pa.RecordBatchReader, positions: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    """The batches without the rows at `positions` (from 0, ascending, over all batches)."""
    start = 0
    for batch in batches:
        first, last = np.searchsorted(positions, [start, start + batch.num_rows])
        inside = positions[first:last] - start
        start += batch.num_rows
        if len(inside):
            keep = np.ones(batch.num_rows, bool)
            keep[inside] = False
            batch = batch.filter(pa.array(keep))
        yield batch
