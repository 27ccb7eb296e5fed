"""When a loan's patron is nobody's business any more: some days after its return.

A loan is over at its return; an e-loan, which nobody returns, when it is due. A partner of events delivers the return as a row of its own:
the latest word of any row of the loan counts.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.lake import read as lake_read
from include.engine.lake.table import Lake, exists
from include.engine.privacy.unlink import Amended, amend, without_patron

COLUMNS = ["loan_id", "event", "kind", "patron", "due_on", "returned_on", "returned_at", "happened_at"]


def unlink(lake: Lake, partner: str, before: date) -> Amended | None:
    """Take the patron out of the partner's loans that were over before that day; None while the lake has no loans."""
    if not exists(lake, "loan"):
        return None
    rows = lake_read.read(lake, "loan", partner=partner, columns=COLUMNS, version="newest")
    last = rows.append_column("over", over(rows)).group_by("loan_id").aggregate([("over", "max"), ("patron", "count")])
    done = last.filter(pc.and_(pc.less(last["over_max"], pa.scalar(before)), pc.greater(last["patron_count"], 0)))[
        "loan_id"
    ].combine_chunks()

    def which(batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        named = pc.and_(pc.is_in(batch.column("loan_id"), value_set=done), pc.is_valid(batch.column("patron")))
        return np.asarray(named)

    return amend(lake, "loan", partner, ["loan_id", "patron"], which, without_patron, why="unlink")


def without_old_links(rows: pa.Table, before: date) -> pa.Table:
    """Rows on their way into the lake's loan table, with no patron in those that say themselves that the loan was over before that day.

    So a partner who still delivers the patrons of old loans does not bring back what `unlink` took out.
    """
    old = np.asarray(pc.fill_null(pc.less(over(rows), pa.scalar(before)), False))
    if not old.any():
        return rows
    return pa.Table.from_batches([without_patron(batch, flags) for batch, flags in _with_flags(rows, old)], schema=rows.schema)


def over(rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    """The day on which each row says that its loan was over (UTC where only a moment is known); null where it does not say."""
    said = pc.if_else(pc.equal(rows["event"], "return"), rows["happened_at"], pa.scalar(None, rows["happened_at"].type))
    due = pc.if_else(pc.equal(rows["kind"], "e_loan"), rows["due_on"], pa.scalar(None, pa.date32()))
    return pc.coalesce(rows["returned_on"], rows["returned_at"].cast(pa.date32(), safe=False), said.cast(pa.date32(), safe=False), due)


def _with_flags(
    rows: pa.Table, flags: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> list[tuple[pa.RecordBatch, np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
    parts, start = [], 0
    for batch in rows.to_batches():
        parts.append((batch, flags[start : start + batch.num_rows]))
        start += batch.num_rows
    return parts
