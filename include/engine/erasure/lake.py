"""A person taken out of the lake: its tables as they are now, and every older version of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from include.engine.erasure.subject import Subject, history
from include.engine.lake.maintenance import history_without
from include.engine.lake.table import Lake
from include.engine.ledger import manifests, publishing
from include.engine.ledger.database import Ledger
from include.engine.ledger.manifests import Versions
from include.engine.privacy.unlink import LINK, Flags, amend, without_patron

#: Table -> the columns that name a patron, or a prospect. Their rows are of the person alone, and go.
ROWS = {
    "patron_identity": ("patron",),
    "patron": ("patron", "merged_into"),
    "patron_alias": ("alias", "patron"),
    "hold": ("patron",),
    "fee": ("patron",),
    "crm_activity": ("patron",),
    "crm_proposal": ("patron",),
    "crm_prospect": ("prospect_id",),
}
#: A loan is the library's own statistics: it stays, as nobody's.
LINKS = ("loan",)
#: Another person's row that names this one, such as a child's its guardian: only the name goes.
MENTIONS = {"patron_identity": ("guardian_id", "merged_into")}


@dataclass(frozen=True)
class Removed:
    """What was done to one table: rows taken out, rows that stay without the person, data files of older versions taken off the disk."""

    table: str
    rows: int
    unlinked: int
    files: int
    version: int


def erase(lake: Lake, ledger: Ledger, subject: Subject, number: str) -> list[Removed]:
    """Take the person out of every table of the lake and all of its past; may be done again, and then finds nothing."""
    done = [_erase(lake, subject, table, number) for table in (*ROWS, *LINKS) if _occurs(lake, subject, table)]
    if done:
        with ledger.begin() as tx:
            manifests.pin(ledger, None, {one.table: Versions(None, one.version) for one in done}, tx=tx)
            publishing.passed(ledger, {one.table: one.version for one in done}, tx=tx)
    return done


def _occurs(lake: Lake, subject: Subject, table: str) -> bool:
    """Whether any data file of the partner, of whatever version, has the person."""
    columns = {
        **dict.fromkeys(ROWS.get(table, ("patron",)), _names(subject, table)),
        **dict.fromkeys(MENTIONS.get(table, ()), subject.ids),
    }
    rows = history(lake, table, subject.partner, columns)
    return rows is not None and any(_is_in(rows[name], values).any() for name, values in columns.items() if name in rows.column_names)


def _names(subject: Subject, table: str) -> frozenset[str]:
    """What the person is called in the table."""
    return subject.prospects if table == "crm_prospect" else subject.pseudonyms


def _erase(lake: Lake, subject: Subject, table: str, number: str) -> Removed:
    unlinked = 0
    if table in LINKS:
        unlinked += amend(lake, table, subject.partner, LINK[:1], lambda batch: _flags(batch, subject), without_patron, why="erase").rows
    if table in MENTIONS:
        unlinked += _forget_mentions(lake, subject, table)
    where = ds.scalar(False)
    for name in ROWS.get(table, ("patron",)):
        where = where | ds.field(name).isin(sorted(_names(subject, table)))
    gone = history_without(lake, table, subject.partner, where, erasure=number)
    return Removed(table, gone.rows, unlinked, gone.files, gone.version_after)


def _flags(batch: pa.RecordBatch, subject: Subject) -> Flags:
    return _is_in(batch.column("patron"), subject.pseudonyms)


def _forget_mentions(lake: Lake, subject: Subject, table: str) -> int:
    columns = MENTIONS[table]

    def named(batch: pa.RecordBatch) -> Flags:
        mine = _is_in(batch.column("patron"), subject.pseudonyms)
        return np.asarray(np.any([_is_in(batch.column(name), subject.ids) for name in columns], axis=0) & ~mine)

    def without(batch: pa.RecordBatch, flags: Flags) -> pa.RecordBatch:
        for name in columns:
            place, column = batch.schema.get_field_index(name), batch.column(name)
            keep = pa.array(~(flags & _is_in(column, subject.ids)))
            batch = batch.set_column(place, batch.schema.field(place), pc.if_else(keep, column, pa.scalar(None, column.type)))
        return batch

    return amend(lake, table, subject.partner, ["patron", *columns], named, without, why="erase").rows


def _is_in(column: pa.Array | pa.ChunkedArray, values: frozenset[str]) -> Flags:
    found = pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))
    return np.asarray(found)
