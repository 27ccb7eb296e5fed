"""Rows of the lake that were kept long enough: those of a table whose contract says for how long, and what an outbound flow need not know any more."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from include.engine.delivery import Delivery
from include.engine.lake import read as lake_read
from include.engine.lake.table import PARTITION, Lake, exists
from include.engine.privacy.unlink import Amended, Flags, amend


def forget(lake: Lake, table: str, partner: str, column: str, before: date, arrived: dict[str, date]) -> Amended | None:
    """Take out the partner's rows whose day in `column` is before that day; one without a day counts from the delivery that brought it
    (`arrived`, by delivery). None while there is no such table."""
    if not exists(lake, table):
        return None
    old = pa.array(sorted(id for id, day in arrived.items() if day < before), pa.string())

    def which(batch: pa.RecordBatch) -> Flags:
        days = batch.column(column).cast(pa.date32(), safe=False)
        unknown = pc.and_(pc.is_null(days), pc.is_in(batch.column("_delivery"), value_set=old))
        return np.asarray(pc.or_(pc.fill_null(pc.less(days, pa.scalar(before)), False), unknown))

    return amend(lake, table, partner, [column, "_delivery"], which, _without, why="forget")


def brought_by(lake: Lake, table: str, partner: str, flow: str, deliveries: list[str]) -> int:
    """How many rows of the flow these deliveries have in the table."""
    if not exists(lake, table) or not deliveries:
        return 0
    mine = (ds.field(PARTITION) == partner) & (ds.field("flow") == flow) & ds.field("_delivery").isin(deliveries)
    return int(lake_read.dataset(lake, table, version="newest").count_rows(filter=mine))


def forget_flow(lake: Lake, table: str, partner: str, flow: str, deliveries: list[str]) -> Amended:
    """Take out of the table what these deliveries of the flow have in it."""
    old = pa.array(sorted(deliveries), pa.string())

    def which(batch: pa.RecordBatch) -> Flags:
        return np.asarray(pc.and_(pc.equal(batch.column("flow"), flow), pc.is_in(batch.column("_delivery"), value_set=old)))

    return amend(lake, table, partner, ["flow", "_delivery"], which, _without, why="forget")


def selected_before(delivery: Delivery, moment: datetime) -> bool:
    """Whether everything that the delivery selected was there before then."""
    as_of = delivery.facts.get("as_of")
    return (datetime.fromisoformat(as_of) if as_of else delivery.seen_at) < moment


def _without(batch: pa.RecordBatch, flags: Flags) -> pa.RecordBatch:
    return batch.filter(pa.array(~flags))
