"""Records of kept pages on their way into the staged tables: `oai_record`, and the titles that they become. Columns throughout; single records are
looked at only where something is the matter with them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.oai_pmh.harvest.columns import SETS, STAMP, Bools, Ints, columns, moments
from connectors.oai_pmh.harvest.held import Held, digests
from connectors.oai_pmh.harvest.page import Page
from connectors.oai_pmh.harvest.titles import CONTRACT, Titles, gone, titles
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.contract.arrow import SOURCE_COLUMNS, arrow_schema
from include.engine.contract.loading import load
from include.engine.inbound.connector import Read, Work
from include.engine.quarantine.schema import set_aside
from include.engine.reasons import words
from include.engine.storage.seen import shown
from include.engine.storage.warc import Page as Kept

log = logging.getLogger("bindery.oai")
Row = dict[str, Any]
RECORDS, BYTES = 10_000, 64 << 20
"""So many records, or so many bytes of pages, make a Read."""
_ROWS = pa.schema(
    [
        *[field for field in SOURCE_COLUMNS if field.name != "_member"],
        pa.field("identifier", pa.string()),
        pa.field("datestamp", STAMP),
        pa.field("sets", SETS),
        pa.field("deleted", pa.bool_()),
        pa.field("xml", pa.string()),
        pa.field("page", pa.int64()),  # which of the batch's pages it stands in
    ]
)


@cache
def schema(contract: str) -> pa.Schema:
    """Source columns, then the contract's."""
    return arrow_schema(load(contract), source_columns=True)


class Batch:
    """The records that make the next Reads, and what of them is known at the end only: titles that are deleted."""

    def __init__(self, work: Work, flow: OaiHarvest, held: Held) -> None:
        self.work, self.flow, self.held = work, flow, held
        self.warnings: Counter[str] = Counter()
        self._filtered: Counter[str] = Counter()
        self._rows: list[pa.Table] = []
        self._pages: list[Kept] = []
        self._aside: list[Row] = []
        self._count = self._bytes = 0
        self._living: list[npt.NDArray[np.uint64]] = []
        self._gone: dict[int, Row] = {}

    @property
    def full(self) -> bool:
        """Whether it is time for `reads`."""
        return self._count >= RECORDS or self._bytes >= BYTES

    def add(self, page: Page, kept: Kept, record: int, counts: Bools | None) -> int:
        """The records of a page, of which the first has the number `record`; `counts` says which comings count. Returns how many there are."""
        found = columns(page)
        at = moments(found.datestamp)
        offset = found.offset + kept.offset
        keep = np.asarray(at.is_valid()).copy()
        keep[list(found.fault)] = False
        for number in np.flatnonzero(~keep).tolist():
            place = {"member": "", "record": record + number, "offset": int(offset[number]), "length": int(found.length[number])}
            reason = found.fault.get(number, "OAI_DATESTAMP_UNREADABLE")
            named = found.identifier[number].as_py() if number in found.fault else found.datestamp[number].as_py()[:40]
            raw = kept.content[found.offset[number] : found.offset[number] + found.length[number]]
            self._aside.append(place | {"reason": reason, "detail": words(reason, "en", value=shown(named or "?")[:200]), "raw": raw})
        if counts is not None:
            self._filtered["OAI_DUPLICATE"] += int((keep & ~counts).sum())
            keep &= counts
        self.warnings.update(reason for number, reason in found.mended.items() if keep[number])
        numbers = np.arange(record, record + len(found))
        where = np.full(len(found), len(self._pages))
        values = [numbers, offset, found.length, found.identifier, at, found.sets, found.deleted, found.xml, where]
        rows = pa.table([pa.array(value, field.type) for value, field in zip(values, _ROWS, strict=True)], schema=_ROWS)
        self._rows.append(rows if keep.all() else rows.filter(pa.array(keep)))
        self._pages.append(kept)
        self._count += len(found)
        self._bytes += len(kept.content)
        return len(found)

    def unserved(self, kept: Kept, record: int) -> None:
        """A record that the repository named and did not give."""
        reason = kept.fields["Fault"]
        place = {"member": "", "record": record, "offset": kept.offset, "length": len(kept.content)}
        detail = words(reason, "en", value=shown(kept.fields["Identifier"])[:200])
        self._aside.append(place | {"reason": reason, "detail": detail, "raw": kept.content})
        self._count += 1

    def tombstones(self, found: list[Row], record: int) -> None:
        """Records that we hold and that the repository has stopped to list, or lists as deleted."""
        self.warnings["OAI_VANISHED"] += sum(one["vanished"] for one in found)
        nowhere = {"_offset": 0, "_length": -1, "deleted": True, "xml": None, "page": -1}
        rows = [{"_record": number} | nowhere | one for number, one in enumerate(found, record + 1)]
        self._rows.append(pa.Table.from_pylist(rows, schema=_ROWS))
        self._count += len(rows)

    def reads(self) -> Iterator[Read]:
        """The records so far: those whose state in the lake is newer are left out of a replay."""
        rows = pa.concat_tables([_ROWS.empty_table(), *self._rows]).combine_chunks()
        before = self.held.find(_only(rows, "identifier"))
        if self.work.delivery.origin is not None:
            stays = self._not_older(rows, before)
            self._filtered["OAI_OLDER"] += int((~stays).sum())
            rows, before = rows.filter(pa.array(stays)).combine_chunks(), before[stays]
        bound = self._titles(rows) if self.flow.binds else None
        numbers = self._numbers(rows, before, bound) if bound else {}
        given = {name: rows.column(name) for name in rows.column_names} | numbers | {"prefix": pa.repeat(self.flow.prefix, len(rows))}
        yield Read("oai_record", _batch(given, len(rows), "oai_record_incoming"), set_aside(self._aside), +self._filtered, +self.warnings)
        if bound and (len(bound.of) or bound.unbound):
            source = _only_columns(rows, SOURCE_COLUMNS.names).take(pa.array(bound.of))
            given = {name: table.column(name) for table in (source, bound.rows) for name in table.column_names}
            aside = set_aside(self._unbound(rows, bound))
            yield Read("bibliographic", _batch(given, len(bound.of), CONTRACT), aside)
        for some in (self._rows, self._pages, self._aside, self._filtered, self.warnings):
            some.clear()
        self._count = self._bytes = 0

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

    def _unbound(self, rows: pa.Table, bound: Titles) -> Iterator[Row]:
        for number, (reason, detail) in bound.unbound.items():
            if reason is None:
                continue
            row = rows.slice(number, 1).drop_columns(["xml"]).to_pylist()[0]
            page = self._pages[row["page"]]
            start = row["_offset"] - page.offset
            log.info("%s: %s", row["identifier"], detail)
            place = {"member": "", "record": row["_record"], "offset": row["_offset"], "length": row["_length"]}
            said = words(reason, "en", value=shown(row["identifier"])[:200])
            yield place | {"reason": reason, "detail": said, "raw": page.content[start : start + row["_length"]]}

    def _numbers(self, rows: pa.Table, before: Ints, bound: Titles) -> dict[str, pa.Array]:
        """Number and agency of each record's title. A title whose record is deleted, or has got another number, is deleted too."""
        self.warnings.update(bound.warnings)
        self.warnings["MARC_OTHER_KIND"] += sum(reason is None for reason, _ in bound.unbound.values())
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
