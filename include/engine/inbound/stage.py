"""Stage: what a connector reads of the landed bytes becomes sealed tables; what it cannot read is set aside, and the rest goes on."""

from __future__ import annotations

import json
from collections import Counter

from include.engine.delivery import Counts, Delivery, State, Token
from include.engine.durable import write_whole
from include.engine.engine import Engine
from include.engine.erasure.replays import REASON as ERASED
from include.engine.erasure.replays import Erased
from include.engine.errors import Held
from include.engine.failpoints import point
from include.engine.inbound.aside import Aside
from include.engine.inbound.chosen import Chosen
from include.engine.inbound.connector import Inbound, Read
from include.engine.inbound.ending import ending
from include.engine.inbound.spared import KNOWN
from include.engine.inbound.work import Outcome, json_counts, key_of, staging, work_on
from include.engine.ledger import claims
from include.engine.reasons import words
from include.engine.spool import Spools

MANIFEST = "manifest.json"


class _Tally:
    """What has been read so far, in source records: those of the delivery's own table. An item inside a record is no record of its own."""

    def __init__(self, table: str, aside: Aside) -> None:
        self.table, self.aside = table, aside
        self.rows: Counter[str] = Counter()
        self.set_aside: Counter[str] = Counter()
        self.filtered: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()

    def counts(self) -> Counts:
        filtered = self.filtered.total()
        own = self.set_aside[self.table]
        return Counts(in_=self.rows[self.table] + own + filtered, quarantined=own, filtered=filtered, warnings=self.warnings.total())

    def derived(self) -> dict[str, int]:
        """What was set aside of other tables, such as items inside a bibliographic record."""
        return {table: count for table, count in self.set_aside.items() if table != self.table and count}


def stage(engine: Engine, delivery: Delivery, token: Token, connector: Inbound) -> Outcome:
    """Read the landed bytes into `staging/<partner>/<delivery>/<token>/<table>.staged`; enter what was set aside; advance to `staged`."""
    work = work_on(engine, delivery)
    key = key_of(engine, delivery)
    folder = staging(engine, delivery, token.value)
    aside = Aside(engine, delivery, token, key)
    tally = _Tally(delivery.table, aside)
    chosen, gone = Chosen.of(engine, delivery), Erased(engine.ledger, engine.keys, delivery)
    with ending(engine, token, tally.counts, aside.enter, aside.seal):
        with Spools(folder, "staged", key) as staged_rows, Spools(folder, KNOWN, key) as known:
            for read in connector.read(work):
                _take(chosen.only(read), tally)
                rows = read.rows if chosen.everything else chosen.rows(read.rows)
                if rows is not None:
                    rows, erased = gone.without(rows)
                    tally.filtered.update({ERASED: erased} if erased else {})
                if rows is not None and rows.num_rows:
                    staged_rows.write(read.table, rows)
                    tally.rows[read.table] += rows.num_rows
                if read.known is not None and delivery.mode == "full":
                    known.write(read.table, read.known)
                point("stage.batch")
        aside.seal()
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / MANIFEST, json.dumps(dict(tally.rows)).encode())
        point("stage.written")
        counts = tally.counts()
        _in_range(work.spec.records, counts, delivery)
        with engine.ledger.begin() as tx:
            aside.enter(tx)
            staged = claims.advance(
                engine.ledger,
                token,
                State.STAGED,
                tx=tx,
                staged_uri=str(folder.relative_to(engine.home)),
                counts=counts,
                reason=None,
                message=None,
                filtered=json_counts(tally.filtered),
                warnings=json_counts(tally.warnings),
                read_aside=counts.quarantined,  # a second try of the gate begins from these, not from what the first one found
                read_warnings=json_counts(tally.warnings),
                derived_aside=tally.derived(),
            )
    point("stage.recorded")
    return Outcome(
        delivery.id, staged.state, f"{counts.in_:,} records read, {counts.quarantined:,} set aside, {counts.filtered:,} filtered"
    )


def _take(read: Read, tally: _Tally) -> None:
    if read.set_aside is not None:
        tally.aside.add(read.set_aside)
        tally.set_aside[read.table] += read.set_aside.num_rows
    tally.filtered.update(read.filtered)
    tally.warnings.update(read.warnings)


def _in_range(records: tuple[int, int] | None, counts: Counts, delivery: Delivery) -> None:
    """Hold a delivery that is far smaller or larger than the partner's YAML says, unless a person has approved it."""
    if records and not records[0] <= counts.in_ <= records[1] and not delivery.facts.get("approved"):
        limit = f"{records[0]:,}..{records[1]:,}"
        values = {"count": counts.in_, "limit": limit}
        code = "RECORDS_OUT_OF_RANGE"
        raise Held(words(code, "en", **values), where=delivery.id, code=code, values=values)
