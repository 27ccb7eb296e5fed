"""Records that came become rows: `oai_record`, and the titles that they are of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.oai_pmh.harvest.columns import STAMP, Bools, Ints
from connectors.oai_pmh.harvest.gather import Records, Row
from connectors.oai_pmh.harvest.held import Held, digests
from connectors.oai_pmh.harvest.titles import CONTRACT, Titles, gone, titles
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.contract.arrow import SOURCE_COLUMNS, arrow_schema
from include.engine.contract.loading import load
from include.engine.inbound.connector import Read, Work
from include.engine.quarantine.schema import set_aside
from include.engine.reasons import words
from include.engine.storage.seen import shown

log = logging.getLogger("bindery.oai")


@cache
def schema(contract: str) -> pa.Schema:
    """Source columns, then the contract's."""
    return arrow_schema(load(contract), source_columns=True)


class Binding:
    """Binds one delivery, some records after the other; it remembers what is known at the end only, which is the titles that are deleted."""

    def __init__(self, work: Work, flow: OaiHarvest, held: Held) -> None:
        self.work, self.flow, self.held = work, flow, held
        self._living: list[npt.NDArray[np.uint64]] = []
        self._gone: dict[int, Row] = {}

    def reads(self, some: Records) -> Iterator[Read]:
        """The rows of some records: those whose state in the lake is newer are left out of a replay."""
        rows = some.rows
        before = self.held.find(_only(rows, "identifier"))
        if self.work.delivery.origin is not None:
            stays = self._not_older(rows, before)
            some.filtered["OAI_OLDER"] += int((~stays).sum())
            rows, before = rows.filter(pa.array(stays)).combine_chunks(), before[stays]
        bound = self._titles(rows) if self.flow.binds else None
        numbers = self._numbers(rows, before, bound) if bound else {}
        if bound:
            some.warnings.update(bound.warnings)
            some.warnings["MARC_OTHER_KIND"] += sum(reason is None for reason, _ in bound.unbound.values())
        given = {name: rows.column(name) for name in rows.column_names} | numbers | {"prefix": pa.repeat(self.flow.prefix, len(rows))}
        yield Read("oai_record", _batch(given, len(rows), "oai_record_incoming"), set_aside(some.aside), +some.filtered, +some.warnings)
        if bound and (len(bound.of) or bound.unbound):
            source = _only_columns(rows, SOURCE_COLUMNS.names).take(pa.array(bound.of))
            given = {name: table.column(name) for table in (source, bound.rows) for name in table.column_names}
            aside = set_aside(self._unbound(rows, some, bound))
            yield Read("bibliographic", _batch(given, len(bound.of), CONTRACT), aside)

    def late_titles(self) -> pa.RecordBatch | None:
        """Titles that are deleted, at the end: not those that another record of the delivery has brought."""
        living = set(np.unique(np.concatenate(self._living)).tolist()) if self._gone and self._living else set()
        rows = [row for key, row in self._gone.items() if key not in living]
        return pa.RecordBatch.from_pylist(rows, schema=schema(CONTRACT)) if rows else None

    def _not_older(self, rows: pa.Table, before: Ints) -> Bools:
        held = _of_held(self.held, "datestamp", before)
        return ~np.asarray(pc.fill_null(pc.greater(held.cast(STAMP), rows.column("datestamp")), False)).astype(np.bool_)

    def _titles(self, rows: pa.Table) -> Titles:
        """Titles of the living records; `of` and `unbound` by the numbers of `rows`."""
        agency = self.flow.agency or self.work.partner.isil or self.work.partner.id
        live = np.flatnonzero(np.asarray(rows.column("xml").is_valid()))
        some = rows if len(live) == len(rows) else rows.take(pa.array(live)).combine_chunks()
        found = titles(_only(some, "xml"), _only(some, "identifier"), self.flow, agency)
        return Titles(found.rows, live[found.of], {int(live[number]): why for number, why in found.unbound.items()}, found.warnings)

    def _unbound(self, rows: pa.Table, some: Records, bound: Titles) -> Iterator[Row]:
        for number, (reason, detail) in bound.unbound.items():
            if reason is None:
                continue
            row = rows.slice(number, 1).drop_columns(["xml"]).to_pylist()[0]
            page = some.pages[row["page"]]
            start = row["_offset"] - page.offset
            log.info("%s: %s", row["identifier"], detail)
            place = {"member": "", "record": row["_record"], "offset": row["_offset"], "length": row["_length"]}
            said = words(reason, "en", value=shown(row["identifier"])[:200])
            yield place | {"reason": reason, "detail": said, "raw": page.content[start : start + row["_length"]]}

    def _numbers(self, rows: pa.Table, before: Ints, bound: Titles) -> dict[str, pa.Array]:
        """Number and agency of each record's title. A title whose record is deleted, or has got another number, is deleted too."""
        at = np.full(len(rows), -1, np.int64)
        at[bound.of] = np.arange(len(bound.of))
        now = {name: bound.rows.column(name).combine_chunks().take(pa.array(at, mask=at < 0)) for name in ("control_number", "agency")}
        if not self.held.rows.num_rows:
            return now
        self._living.append(_keys(bound.rows))
        old = {name: _of_held(self.held, name, before) for name in now}
        deleted, known = _only(rows, "deleted"), old["control_number"].is_valid()
        moved = pc.or_(pc.not_equal(now["control_number"], old["control_number"]), pc.not_equal(now["agency"], old["agency"]))
        lost = np.flatnonzero(np.asarray(pc.and_(known, pc.or_(deleted, pc.fill_null(moved, False)))).astype(np.bool_))
        left = pa.table({name: old[name].take(pa.array(lost)) for name in old})
        places = _only_columns(rows, SOURCE_COLUMNS.names).take(pa.array(lost)).to_pylist()
        for key, place, one in zip(_keys(left).tolist(), places, left.to_pylist(), strict=True):
            self._gone[key] = place | gone(one["control_number"], one["agency"], self.flow)
        return {name: pc.if_else(pc.and_(deleted, known), old[name], now[name]) for name in now}


def _of_held(held: Held, name: str, before: Ints) -> pa.Array:
    return _only(held.rows, name).take(pa.array(before, mask=before < 0))


def _keys(titles_: pa.Table) -> npt.NDArray[np.uint64]:
    return digests(pc.binary_join_element_wise(titles_.column("agency"), titles_.column("control_number"), "\0"))


def _only(rows: pa.Table, name: str) -> pa.Array:
    """The column of a table whose chunks are combined."""
    column = rows.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _only_columns(rows: pa.Table, names: list[str]) -> pa.Table:
    member = pa.repeat(pa.scalar("", pa.string()), len(rows))
    return pa.table({name: member if name == "_member" else rows.column(name) for name in names})


def _batch(given: dict[str, Any], count: int, contract: str) -> pa.RecordBatch:
    """A batch by the contract's schema; a column that is not given is null, and `_member` is the file itself."""
    columns_ = {"_member": pa.repeat(pa.scalar("", pa.string()), count)} | given
    arrays = []
    for one in schema(contract):
        value = columns_.get(one.name, pa.nulls(count, one.type))
        arrays.append((value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value).cast(one.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema(contract))
