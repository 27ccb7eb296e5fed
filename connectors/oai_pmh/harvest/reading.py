"""The kept pages of a delivery into rows: `oai_record`, and the titles that its records become. Where a record came more than once, pages are read
twice: first for which coming counts."""

from __future__ import annotations

import json
import logging
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from connectors.oai_pmh.harvest.fetch import COMPARED, SUMMARY
from connectors.oai_pmh.harvest.held import Held
from connectors.oai_pmh.harvest.newest import Comings
from connectors.oai_pmh.harvest.page import Page, page_again, page_of
from connectors.oai_pmh.harvest.record import Item, headers, items
from connectors.oai_pmh.harvest.times import moment
from connectors.oai_pmh.harvest.titles import CONTRACT, gone, titles
from connectors.oai_pmh.harvest.vanished import Listing
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.contract.arrow import SOURCE_COLUMNS, arrow_schema
from include.engine.contract.loading import load
from include.engine.inbound.connector import Read, Work
from include.engine.quarantine.schema import set_aside
from include.engine.reasons import words
from include.engine.storage.seen import shown
from include.engine.storage.warc import Page as Kept
from include.engine.storage.warc import pages

log = logging.getLogger("bindery.oai")
Row = dict[str, Any]
RECORDS = 5_000
"""Records to a Read."""
_moment = lru_cache(4096)(moment)


def read(work: Work) -> Iterator[Read]:
    """Every record that was listed: as a row, set aside with its bytes, or filtered because it came again."""
    flow = work.flow
    assert isinstance(flow, OaiHarvest)
    batch = _Batch(work, flow, Held(work, flow.prefix))
    record, listing, summary, counting = 0, Listing(), dict[str, Any](), repeat(True)
    for member in work.members():
        for kept in pages(member.stream):
            if kept.uri == SUMMARY:  # the first one
                summary = json.loads(kept.content)
                counting = iter(_counting(work).tolist()) if _again(summary) else counting
                continue
            if "Fault" in kept.fields:
                record += 1
                batch.unserved(kept, record)
                continue
            page = opened(kept)
            batch.warnings.update(page.notes)
            if kept.fields["Way"] == COMPARED:
                listing.add(page)
            if page.verb == "ListIdentifiers":
                continue
            for item in items(page):
                record += 1
                batch.add(item, page, kept, record, next(counting))
            if len(batch) >= RECORDS:
                yield from batch.reads()
    yield from batch.reads()
    if summary.get("kind") == "compare":
        batch.tombstones(listing.gone(work, batch.held), record)
    batch.warnings.update(_sizes(summary))
    yield from batch.reads()
    if late := batch.late_titles():
        yield Read("bibliographic", _rows(late, CONTRACT))


def opened(kept: Kept) -> Page:
    """The page; one that was strict when it came is not held against XML again: it is sealed since."""
    if kept.fields.get("Strict") == "yes":
        return page_again(kept.content, kept.fields["Verb"])
    return page_of(kept.content, kept.fields["Verb"])


def _again(summary: dict[str, Any]) -> bool:
    """Whether a record may have come more than once."""
    series = summary["series"].values()
    return len(series) > 1 or summary["kind"] == "compare" or any(one["listed"] != one["unique"] for one in series)


def _counting(work: Work) -> Any:
    comings = Comings()
    for member in work.members():
        for kept in pages(member.stream):
            if kept.uri != SUMMARY and "Fault" not in kept.fields and kept.fields["Verb"] != "ListIdentifiers":
                for identifier, datestamp in headers(opened(kept)):
                    at = _moment(datestamp.decode("ascii", "replace"))
                    comings.add(identifier, int(at.timestamp()) if at else 0)
    return comings.counting()


def _sizes(summary: dict[str, Any]) -> dict[str, int]:
    """A warning for each series whose announced size is neither what was listed nor what was left without repetitions."""
    wrong = 0
    for one in summary.get("series", {}).values():
        size = one["complete_list_size"]
        wrong += size is not None and size not in {one["listed"], one["unique"]}
    return {"OAI_LIST_SIZE": wrong} if wrong else {}


@cache
def schema(contract: str) -> pa.Schema:
    """Source columns, then the contract's."""
    return arrow_schema(load(contract), source_columns=True)


@dataclass
class _Batch:
    """The records that make the next Reads."""

    work: Work
    flow: OaiHarvest
    held: Held
    rows: list[Row] = field(default_factory=list)
    titles: list[pa.Table] = field(default_factory=list)
    aside: list[Row] = field(default_factory=list)
    titles_aside: list[Row] = field(default_factory=list)
    filtered: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    raws: list[bytes] = field(default_factory=list)
    xmls: list[bytes | None] = field(default_factory=list)
    living: array[int] = field(default_factory=lambda: array("Q"))
    gone: dict[int, Row] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows) + len(self.aside) + len(self.titles_aside)

    def add(self, item: Item, page: Page, kept: Kept, record: int, counts: bool) -> None:
        """One record of a page."""
        offset, length = page.text.place(item.start, item.end)
        place = {"member": "", "record": record, "offset": kept.offset + offset, "length": length}
        at = _moment(item.datestamp)
        fault, detail = item.fault, None
        if fault is None and at is None:
            fault, detail = "OAI_DATESTAMP_UNREADABLE", words("OAI_DATESTAMP_UNREADABLE", "en", value=shown(item.datestamp)[:40])
        if fault is not None:
            raw = kept.content[offset : offset + length]
            said = detail or words(fault, "en", value=shown(item.identifier or "?")[:200])
            self.aside.append(place | {"reason": fault, "detail": said, "raw": raw})
            return
        if not counts:
            self.filtered["OAI_DUPLICATE"] += 1
            return
        if item.mended:
            self.warnings[item.mended] += 1
        row = {
            "prefix": self.flow.prefix,
            "identifier": item.identifier,
            "datestamp": at,
            "sets": list(item.sets) or None,
            "deleted": item.deleted,
        }
        self.rows.append({f"_{name}": value for name, value in place.items()} | row)
        self.xmls.append(item.xml)
        self.raws.append(kept.content[offset : offset + length] if item.xml is not None else b"")

    def unserved(self, kept: Kept, record: int) -> None:
        """A record that the repository named and did not give."""
        reason = kept.fields["Fault"]
        place = {"member": "", "record": record, "offset": kept.offset, "length": len(kept.content)}
        detail = words(reason, "en", value=shown(kept.fields["Identifier"])[:200])
        self.aside.append(place | {"reason": reason, "detail": detail, "raw": kept.content})

    def tombstones(self, found: list[Row], record: int) -> None:
        """Records that we hold and that the repository has stopped to list, or lists as deleted."""
        for number, one in enumerate(found, record + 1):
            self.warnings["OAI_VANISHED"] += one.pop("vanished")
            place = {"_member": "", "_record": number, "_offset": 0, "_length": -1}
            self.rows.append(place | {"prefix": self.flow.prefix, "deleted": True} | one)
            self.xmls.append(None)
            self.raws.append(b"")

    def reads(self) -> Iterator[Read]:
        """The records so far: those whose state in the lake is newer are left out of a replay."""
        before = self.held.find([row["identifier"] for row in self.rows])
        if self.work.delivery.origin is not None:
            self._without_older(before)
        self._bind(before)
        texts = [None if xml is None else xml.decode() for xml in self.xmls]
        for row, text in zip(self.rows, texts, strict=True):
            row["xml"] = text
        yield Read("oai_record", _rows(self.rows, "oai_record_incoming"), set_aside(self.aside), dict(self.filtered), dict(self.warnings))
        if self.titles or self.titles_aside:
            empty = _rows([], CONTRACT)
            rows = pa.concat_tables([pa.table(empty), *self.titles]).combine_chunks().to_batches()
            yield Read("bibliographic", rows[0] if rows else empty, set_aside(self.titles_aside))
        for some in (self.rows, self.titles, self.aside, self.titles_aside, self.raws, self.xmls, self.filtered, self.warnings):
            some.clear()

    def _without_older(self, before: list[Row | None]) -> None:
        newer = [old is not None and old["datestamp"] > row["datestamp"] for row, old in zip(self.rows, before, strict=True)]
        stays = [number for number, leave in enumerate(newer) if not leave]
        self.rows, self.xmls, self.raws = ([some[n] for n in stays] for some in (self.rows, self.xmls, self.raws))  # type: ignore[assignment]
        before[:] = [before[n] for n in stays]
        if sum(newer):
            self.filtered["OAI_OLDER"] += sum(newer)

    def _bind(self, before: list[Row | None]) -> None:
        """Titles of the rows; a title whose record is deleted, or has got another number, is deleted too."""
        if not self.flow.binds:
            return
        agency = self.flow.agency or self.work.partner.isil or self.work.partner.id
        live = [number for number, xml in enumerate(self.xmls) if xml is not None]
        found = titles([self.xmls[n] or b"" for n in live], [self.rows[n]["identifier"] for n in live], self.flow, agency)
        self.warnings.update(found.warnings)
        for number, (reason, detail) in found.unbound.items():
            if reason is None:
                self.warnings["MARC_OTHER_KIND"] += 1
            else:
                own = {name[1:]: self.rows[live[number]][name] for name in SOURCE_COLUMNS.names}
                log.info("%s: %s", self.rows[live[number]]["identifier"], detail)
                said = words(reason, "en", value=shown(self.rows[live[number]]["identifier"])[:200])
                self.titles_aside.append(own | {"reason": reason, "detail": said, "raw": self.raws[live[number]]})
        whose = [self.rows[live[number]] for number in found.of.tolist()]
        numbers, agencies = (found.rows.column(name).to_pylist() for name in ("control_number", "agency"))
        for row, number_, agency_ in zip(whose, numbers, agencies, strict=True):
            row |= {"control_number": number_, "agency": agency_}
            self.living.append(_key(number_, agency_))
        source = [pa.array([row[one.name] for row in whose], one.type) for one in SOURCE_COLUMNS]
        self.titles.append(pa.Table.from_arrays([*source, *found.rows.columns], schema=schema(CONTRACT)))
        for row, old in zip(self.rows, before, strict=True):
            if old is None or not old["control_number"]:
                continue
            if row["deleted"]:
                row |= {"control_number": old["control_number"], "agency": old["agency"]}
            now = (row.get("control_number"), row.get("agency"))
            if row["deleted"] or (now[0] and now != (old["control_number"], old["agency"])):
                place = {name: row[name] for name in ("_member", "_record", "_offset", "_length")}
                before_ = old["control_number"], old["agency"]
                self.gone[_key(*before_)] = place | gone(*before_, self.flow)

    def late_titles(self) -> list[Row]:
        """Titles that are deleted, at the end: not those that another record of the delivery has brought."""
        living = set(np.unique(np.frombuffer(self.living, np.uint64)).tolist()) if self.gone and self.living else set()
        return [row for key, row in self.gone.items() if key not in living]


def _key(control_number: str, agency: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{agency}\0{control_number}".encode())


def _rows(rows: list[Row], contract: str) -> pa.RecordBatch:
    wanted = schema(contract)
    arrays = [pa.array([row.get(column.name) for row in rows], column.type) for column in wanted]
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)
