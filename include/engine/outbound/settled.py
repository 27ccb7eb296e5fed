"""What an outbound flow is done with, record by record: the lake's table `settled`. By it each record goes out once, however late it comes.

A watermark of days would miss a loan that arrives late, and one of versions would send a loan again that was only changed. So each record has
a name, and the table says what became of it: `sent`; `left` out for good; or `waits`, which is asked again once its digest is another (a loan
whose patron was not known yet). A retraction of the delivery takes its rows out again, and they are due anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.engine import Engine
from include.engine.lake import read as lake_read
from include.engine.lake.publish import Published, publish
from include.engine.lake.table import PARTITION, exists
from include.engine.ledger import audit, deliveries, manifests
from include.engine.ledger.manifests import Versions
from include.engine.privacy.forget import brought_by, forget_flow, selected_before

TABLE = "settled"
FORGOT = "forget settled"
_MARGIN = timedelta(days=2)  # a partner's day begins and ends before or after ours
_ALL = 10_000_000
SETTLED: pa.Schema = pa.schema([("flow", pa.string()), ("record", pa.string()), ("outcome", pa.string()), ("digest", pa.int64())])


def dataset(engine: Engine, partner: str, flow: str) -> Any:
    """What the flow settled for the partner, at the newest version: its deliveries stand in line, so none is half-way."""
    if not exists(engine.lake, TABLE):
        return SETTLED.empty_table()
    mine = (ds.field(PARTITION) == partner) & (ds.field("flow") == flow)
    return lake_read.dataset(engine.lake, TABLE, version="newest").filter(mine)


def sent_by(engine: Engine, partner: str, flow: str, delivery_id: str) -> pa.Table:
    """The records that a delivery sent (column `record`)."""
    found = dataset(engine, partner, flow)
    if isinstance(found, pa.Table):
        return found.select(["record"])
    return found.to_table(columns=["record"], filter=(ds.field("_delivery") == delivery_id) & (ds.field("outcome") == "sent"))


def not_sent(engine: Engine, partner: str, flow: str, records: Iterable[str]) -> pa.Table:
    """Those of `records` that have not gone since they were set aside (column `record`)."""
    wanted = pa.array(sorted(records), pa.string())
    found = dataset(engine, partner, flow)
    if not isinstance(found, pa.Table):
        gone = found.to_table(columns=["record"], filter=(ds.field("outcome") == "sent") & ds.field("record").isin(wanted))
        wanted = wanted.filter(pc.invert(pc.is_in(wanted, value_set=gone.column("record").combine_chunks())))
    return pa.table({"record": wanted})


def settle(engine: Engine, delivery: Delivery, batches: Callable[[], Iterator[pa.RecordBatch]], check: Callable[[], None]) -> Published:
    """Enter what a delivery settled (batches of `record`, `outcome`, `digest`); done twice, it happens once."""

    def rows() -> pa.RecordBatchReader:
        def named() -> Iterator[pa.RecordBatch]:
            for batch in batches():
                flow = pa.repeat(pa.scalar(delivery.flow, pa.string()), batch.num_rows)
                columns = [flow, *(batch.column(name).cast(SETTLED.field(name).type) for name in SETTLED.names[1:])]
                yield pa.RecordBatch.from_arrays(columns, schema=SETTLED)

        return pa.RecordBatchReader.from_batches(SETTLED, named())

    return publish(engine.lake, engine.contract(TABLE), delivery.partner, delivery.id, rows, "append", check)


def changed(digests: pa.Array, before: pa.Array) -> pa.BooleanArray:
    """For each record whether it is new, or waits and is another than it was: null `before` is new."""
    return pc.fill_null(pc.not_equal(digests, before), True)


def forgotten(engine: Engine, partner: str, flow: str) -> date | None:
    """The first day of which everything that was settled is still known; None while nothing was forgotten. A flow that looks back further
    than it did must not look beyond it, or records of that time would go a second time."""
    found = audit.find(engine.ledger, action=FORGOT, subject=f"{partner}/{flow}")
    return max((date.fromisoformat(one.detail["from"]) for one in found), default=None)


def forget(engine: Engine, partner: str, flow: str, looks_back: timedelta) -> int:
    """Take out what was settled of records that the flow does not look at any more. Returns how many."""
    until = clock.now() - looks_back - _MARGIN
    old = [one.id for one in deliveries.find(engine.ledger, partner=partner, flow=flow, limit=_ALL) if selected_before(one, until)]
    if not brought_by(engine.lake, TABLE, partner, flow, old):
        return 0
    first = (until + timedelta(days=1)).date().isoformat()
    audit.record(engine.ledger, "retention", FORGOT, f"{partner}/{flow}", {"from": first})  # first: what is gone must be known to be gone
    done = forget_flow(engine.lake, TABLE, partner, flow, old)
    manifests.pin(engine.ledger, None, {TABLE: Versions(done.version_before, done.version_after)})
    return done.rows


def last_acknowledged(engine: Engine, partner: str, flow: str) -> Delivery | None:
    """The newest delivery of the flow that was received, None before the first. `facts["as_of"]` is the moment of its selection and
    `facts["pins"]` the lake's versions that it saw."""
    found = deliveries.find(engine.ledger, partner=partner, flow=flow, states=[State.PUBLISHED, State.ACKNOWLEDGED], limit=1)
    return found[0] if found else None


def last_whole(engine: Engine, partner: str, flow: str) -> Delivery | None:
    """The newest delivery of the flow that selected everything due and was received: neither a rehearsal of a partner in status `test` nor
    one that sent another's records once more."""
    found = deliveries.find(engine.ledger, partner=partner, flow=flow, states=[State.PUBLISHED, State.ACKNOWLEDGED], limit=200)
    return next((one for one in found if one.status != "test" and "pins" in one.facts and not again_of(engine, one)), None)


def again_of(engine: Engine, delivery: Delivery) -> str | None:
    """The delivery whose records this one sends once more; None for what is due. A replay of what never left is a new selection."""
    if delivery.origin is None:
        return None
    origin = deliveries.get(engine.ledger, delivery.origin)
    return delivery.root if origin.published_at is not None else None
