"""MARC files into reads: each record a row, by its mapping; items and holdings inside records into rows of their own.

One bibliographic delivery can so fill three tables. Every record of the file counts once, for the delivery's own table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.ils import incoming, marc_number
from connectors.ils.library import Library
from connectors.ils.marc_items import Items
from connectors.ils.profile import Profile, TableProfile
from connectors.ils.remembered import Remembered
from connectors.ils.rows import Target, typed
from include.engine.inbound.connector import Read
from include.engine.quarantine.schema import conform
from include.marc import iso2709, mapping, marcxml
from include.marc.batch import ASIDE, Batch, Ints, Tags
from include.marc.build import Aside, Found, aside_table, build
from include.marc.charsets import NAMES
from include.marc.kinds import is_of
from include.marc.write.marcxml import elements

#: Bytes read at a time: some thousand records.
BLOCK = 4 << 20
#: What the reader repairs and we set aside, and why: a field under a tag that is none may be the title, a letter of the leader its status.
TOO_DAMAGED = {
    "MARC_TAG_INVALID": ("MARC_DIRECTORY_INVALID", "a tag that is none"),
    "MARC_LEADER_CHARACTER": ("MARC_LEADER_INVALID", None),
}
#: danMARC2 writes what its character set lacks as escapes, whatever the letters themselves are in.
DANMARC2 = {"utf-8": "danmarc2-utf-8", "iso-8859-1": "danmarc2"}


def batches(stream: BinaryIO, settings: TableProfile, where: str, block: int = BLOCK) -> Iterator[Batch]:
    """The stream's records in the settings' format and character set."""
    if settings.format == "marcxml":
        return marcxml.scan(stream, family=settings.marc, where=where)
    charset: str = "declared" if settings.charset == "leader" else settings.charset
    if settings.marc == "danmarc2":
        charset = DANMARC2.get(charset, charset)
    return iso2709.scan(stream, family=settings.marc, charset=charset, block=block)


def read_marc(
    stream: BinaryIO, member: str, table: str, profile: Profile, library: Library, *, where: str, block: int = BLOCK
) -> Iterator[Read]:
    """Reads of some thousand records: rows of `table`, and, in Reads of their own, of items and holdings inside them."""
    settings = profile.table(table)
    remembered = Remembered(stream)
    reader = _Reader(member, table, profile, settings, library, where, remembered)
    empty = True
    for batch in batches(cast(BinaryIO, remembered), settings, where, block):
        yield from reader.reads(batch)
        remembered.forget(_end(batch))
        empty = False
    if empty:
        yield from reader.reads(build([], Tags()))


def _end(batch: Batch) -> int:
    """The byte behind the last record of the batch, read or set aside."""
    aside = np.asarray(batch.aside.column("offset")) + np.asarray(batch.aside.column("length"))
    return int(max([0, *(batch.offset + batch.length)[-1:], *aside[-1:]]))


@dataclass
class _Reader:
    member: str
    table: str
    profile: Profile
    settings: TableProfile
    library: Library
    where: str
    remembered: Remembered

    def __post_init__(self) -> None:
        self.columns = mapping.load(self.settings.binding or f"{self.settings.marc}_{self.table}")
        parts = (("item", self.settings.items), ("holding", self.settings.holdings))
        self.inside = {name: Items(embedded) for name, embedded in parts if embedded is not None}

    def reads(self, batch: Batch) -> Iterator[Read]:
        """The batch's records, what is set aside, and what is inside records."""
        batch = self._strictly(batch)
        kept = is_of(batch, self.settings.marc, self.table)
        records = batch.select(kept)
        rows = self._rows(records)
        filtered = {"MARC_OTHER_KIND": int((~kept).sum())} if not kept.all() else {}
        aside = conform(batch.aside.append_column("member", pa.repeat(pa.scalar(self.member), batch.aside.num_rows)))
        yield Read(self.table, rows, aside, filtered, dict(_warnings(records)), self._known(batch.aside))
        for table, items in self.inside.items():
            block = items.block(records, rows, self.member, self.remembered.bytes_at)
            if block is not None:
                yield typed(block, Target(table, items.columns, self.settings, self.profile, self.library), where=self.where)

    def _strictly(self, batch: Batch) -> Batch:
        """Without records that read well enough to look at, but not to take the place of good ones."""
        refused = {
            number: TOO_DAMAGED[reason]
            for number, reason in zip(*(batch.issues.column(name).to_pylist() for name in ("record", "reason")), strict=True)
            if reason in TOO_DAMAGED
        }
        if not refused:
            return batch
        bad = np.isin(batch.number, list(refused))
        aside = [
            Aside(number, offset, self.remembered.bytes_at(offset, length), *refused[number])
            for number, offset, length in zip(*(column[bad].tolist() for column in (batch.number, batch.offset, batch.length)), strict=True)
        ]
        joined = pa.concat_tables([batch.aside, aside_table(aside)]).sort_by("record")
        return replace(batch, aside=joined).select(~bad)

    def _rows(self, records: Batch) -> pa.RecordBatch:
        """A row for each record."""
        count = len(records)
        wide = self._numbered(records)
        wide["deleted"] = (
            pc.fill_null(pc.equal(wide["deleted"], "true"), False) if "deleted" in wide else pa.repeat(pa.scalar(False), count)
        )
        wide |= {
            "format": pa.repeat(pa.scalar(self.settings.marc), count),
            "encoding": pa.array(NAMES, pa.string()).take(pa.array(records.charset)),
            "repaired": _repaired(records),
            "marcxml": elements(records),
            "_member": pa.repeat(pa.scalar(self.member), count),
            "_record": pa.array(records.number),
            "_offset": pa.array(records.offset),
            "_length": pa.array(records.length),
        }
        return self._typed(wide, count)

    def _numbered(self, records: Batch) -> dict[str, pa.Array]:
        """The records' columns by their mapping; one that does not say whose it is is the library's own."""
        wide = records.wide(self.columns)
        columns = {name: wide.column(name).combine_chunks() for name in wide.column_names}
        own = pa.repeat(pa.scalar(self.library.isil), len(records))
        return columns | {"agency": pc.coalesce(columns["agency"], own) if "agency" in columns else own}

    def _typed(self, columns: Mapping[str, pa.Array], count: int) -> pa.RecordBatch:
        schema = incoming.schema(self.table)
        arrays = [columns[one.name].cast(one.type) if one.name in columns else pa.nulls(count, one.type) for one in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _known(self, aside: pa.Table) -> pa.RecordBatch:
        """Of the records set aside those whose control number can be told: the lake must not take them for missing."""
        if not aside.num_rows:
            return self._none_known
        return self._known_of(aside)

    @cached_property
    def _none_known(self) -> pa.RecordBatch:
        return self._known_of(ASIDE.empty_table())

    def _known_of(self, aside: pa.Table) -> pa.RecordBatch:
        told = [marc_number.told(raw, self.settings.marc) for raw in aside.column("raw").to_pylist()]
        places = zip(*(aside.column(name).to_pylist() for name in ("record", "offset", "length")), strict=True)
        records = build([Found(record, *place) for record, place in zip(told, places, strict=True)], Tags())
        wide = self._numbered(records) | {
            "_member": pa.repeat(pa.scalar(self.member), len(records)),
            "_record": pa.array(records.number),
            "_offset": pa.array(records.offset),
            "_length": pa.array(records.length),
        }
        rows = self._typed(wide, len(records))
        told_apart = np.ones(len(records), np.bool_)
        for name in incoming.contract(self.table).key:
            told_apart &= np.asarray(rows.column(name).is_valid())
        return rows.filter(pa.array(told_apart))


def _reasons(records: Batch) -> tuple[Ints, list[str]]:
    """(index of record, reason) of what was repaired, each once, in their order."""
    place = np.searchsorted(records.number, np.asarray(records.issues.column("record")))
    inside = place < len(records)
    inside[inside] = records.number[place[inside]] == np.asarray(records.issues.column("record"))[inside]
    pairs = dict.fromkeys(zip(place[inside].tolist(), records.issues.filter(pa.array(inside)).column("reason").to_pylist(), strict=True))
    return np.array([record for record, _ in pairs], np.int64), [reason for _, reason in pairs]


def _warnings(records: Batch) -> Counter[str]:
    """How many records were repaired, by reason."""
    return Counter(_reasons(records)[1])


def _repaired(records: Batch) -> pa.StringArray:
    """For each record the reasons, in words that a table can hold; null where it was clean."""
    words: list[list[str]] = [[] for _ in range(len(records))]
    for record, reason in zip(*_reasons(records), strict=True):
        words[record].append(reason)
    return pa.array([", ".join(some) or None for some in words], pa.string())
