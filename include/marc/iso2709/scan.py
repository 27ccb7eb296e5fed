"""ISO 2709 into batches: the reader.

block of bytes -> fields (directory.py) -> damaged records mended (damage.py) -> rows (subfields.py) -> text (texts.py) -> Batch
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa

from include.marc.batch import ISSUES, Batch, Family, Ints, Outcome, Tags
from include.marc.build import Aside, Issue, aside_table
from include.marc.iso2709 import engine
from include.marc.iso2709.area import Area, compacted
from include.marc.iso2709.blocks import Block, Blocks
from include.marc.iso2709.damage import mend
from include.marc.iso2709.pieces import BETWEEN
from include.marc.iso2709.shapes import ODD_CODE, Rows
from include.marc.iso2709.shards import boundary
from include.marc.iso2709.tags import TagNumbers, wanted
from include.marc.iso2709.texts import Choices, Read, declared, read

BLOCK = 4 << 20
#: Where UNIMARC says its character set.
GENERAL = "100"


def scan(
    stream: BinaryIO,
    *,
    family: Family = "marc21",
    charset: str = "declared",
    fields: Collection[str] | None = None,
    start: int = 0,
    stop: int | None = None,
    block: int = BLOCK,
    undecodable: Literal["set_aside", "replace"] = "set_aside",
    digest: bool = False,
) -> Iterator[Batch]:
    """All records of `stream`, batch by batch; each is clean, repaired, or set aside, and nothing stops the reading.

    `charset`: `declared` (each record says its own, and is overruled where its bytes show another) or a name of include.marc.charsets.NAMES.
    `fields`: only these (`245`, `6XX`), far faster; damage elsewhere in a record is then not looked for. `start`, `stop`: bytes; the
    records that begin in that range (the stream must be seekable). `block`: bytes read at a time, which bounds the memory used.
    `undecodable`: what becomes of a record with bytes of no known character. `digest`: give Batch.digest of each record's bytes.
    """
    first = boundary(stream, start) if start else 0
    last = None if stop is None else boundary(stream, stop)
    if start or stop is not None:
        stream.seek(first)
    reader = _Reader(Choices(family, charset, undecodable == "replace"), fields, digest)
    source = Blocks(stream, block, first, last)
    while (one := source.next()) is not None:
        area = reader.area(one)
        source.give_back(area.used)
        if len(area.number) or area.aside:
            yield reader.batch(area)


class _Reader:
    """What stays the same from block to block: choices, tags, and the running number of records."""

    def __init__(self, choices: Choices, fields: Collection[str] | None, digest: bool) -> None:
        self.choices, self.digest = choices, digest
        self.subfields_below_010 = choices.family == "danmarc2"
        self.asked = None if fields is None else wanted(fields)
        self.followed = self.asked
        if fields is not None and choices.family == "unimarc" and choices.charset == "declared":
            self.followed = wanted({*fields, GENERAL})
        self.tags = Tags()
        self.numbers = TagNumbers(self.tags)
        self.number = 1  # of the next piece

    def area(self, block: Block) -> Area:
        """The block's records."""
        spans, found = engine.fields(block.buffer, block.end, subfields_below_010=self.subfields_below_010, wanted=self.followed)
        ends = int(spans.stop[-1]) if len(spans.stop) else 0
        if spans.clean.all() and not block.buffer[ends : block.end].tobytes().strip(BETWEEN):
            number = np.arange(self.number, self.number + len(spans.start))
            return Area(block.data, found, number, spans.start + np.int64(block.offset), spans.stop - spans.start, block.end, block)
        return mend(block, spans, found, self.number, subfields_below_010=self.subfields_below_010, wanted=self.followed)

    def batch(self, area: Area) -> Batch:
        """The area's records as a Batch."""
        self.number += len(area.number) + len(area.aside)
        small = compacted(area) if self.followed is not None and engine.looks_at_all() else area
        fields = small.fields
        leader = fields.start[fields.seq == 0]
        rows = engine.rows(small.data, fields, self.numbers.of(fields.key), self._look(small.data, leader))
        said = declared(small.data, leader, rows, self._general(rows, len(leader)), self.choices)
        found = read(small.data, rows, said, self.choices)
        issues = _issues(area, small, rows, found, self.choices.family)
        batch = Batch(
            tags=self.tags,
            rec=rows.rec,
            tag=rows.tag,
            seq=rows.seq,
            ind1=rows.ind1,
            ind2=rows.ind2,
            code=_codes(rows),
            value=found.value,
            first=np.append(np.flatnonzero(rows.seq == 0), len(rows.seq)).astype(np.int32),
            number=area.number.astype(np.int64),
            offset=area.offset,
            length=area.length.astype(np.int64),
            outcome=_outcomes(len(area.number), issues),
            charset=found.charset,
            issues=_issue_table(area, issues, found),
            aside=aside_table(area.aside),
            digest=engine.digests(area.block.buffer, area.offset - area.block.offset, area.length) if self.digest else None,
        )
        return self._only_asked(_without_refused(batch, area, found))

    def _look(self, area: Ints, leader: Ints) -> Ints:
        """Records whose values may need more than UTF-8."""
        if self.choices.charset == "declared" and self.choices.family == "marc21":
            look: Ints = area[leader + 9] != ord("a")
            return look
        return np.full(len(leader), self.choices.charset != "utf-8")

    def _general(self, rows: Rows, count: int) -> Ints:
        """The row of each record's 100 *a, if that is where it says its character set; -1 where there is none."""
        general = np.full(count, -1, np.int64)
        if self.choices.family == "unimarc" and self.choices.charset == "declared":
            found = np.flatnonzero((rows.tag == self.tags.number(GENERAL)) & (rows.code == ord("a")))
            general[rows.rec[found[::-1]]] = found[::-1]
        return general

    def _only_asked(self, batch: Batch) -> Batch:
        if self.followed is self.asked:
            return batch
        general = self.tags.number(GENERAL)
        kept = np.ones(len(self.tags), np.bool_)
        assert self.asked is not None
        kept[general] = bool(self.asked[_place(GENERAL)])
        return batch if kept[general] else _rows_only(batch, kept[batch.tag])


def _place(tag: str) -> int:
    return ord(tag[0]) | ord(tag[1]) << 7 | ord(tag[2]) << 14


def _rows_only(batch: Batch, kept: Ints) -> Batch:
    counts = np.bincount(batch.rec[kept], minlength=len(batch))
    columns = {name: getattr(batch, name)[kept] for name in ("rec", "tag", "seq", "ind1", "ind2", "code")}
    first = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    return replace(batch, **columns, value=batch.value.filter(pa.array(kept)), first=first)


Issues = dict[int, list[Issue]]


def _issues(area: Area, small: Area, rows: Rows, found: Read, family: Family) -> Issues:
    """By index of record: what was wrong with its structure, its delimiters, its character set."""
    issues: Issues = {record: list(some) for record, some in area.issues.items()}
    fields = small.fields
    for field in rows.empty.tolist():
        issues.setdefault(int(fields.rec[field]), []).append(Issue("MARC_SUBFIELD_EMPTY", None, int(fields.seq[field])))
    odd = np.flatnonzero((rows.flags & ODD_CODE) != 0)
    if family == "danmarc2":
        odd = odd[rows.code[odd] < 128]
    for row in odd.tolist():
        detail = f"U+{int(rows.code[row]):04X}"
        issues.setdefault(int(rows.rec[row]), []).append(Issue("MARC_SUBFIELD_CODE", detail, int(rows.seq[row])))
    for record, some in found.issues.items():
        issues.setdefault(record, []).extend(some)
    return issues


def _codes(rows: Rows) -> Ints:
    """Subfield codes; a control character is no code, and becomes `?`."""
    odd = np.flatnonzero((rows.flags & ODD_CODE) != 0)
    if not len(odd):
        return rows.code
    code = rows.code.copy()
    code[odd[(code[odd] < 32) | (code[odd] == 127)]] = ord("?")
    return code


def _outcomes(count: int, issues: Issues) -> Ints:
    outcome = np.full(count, Outcome.CLEAN, np.uint8)
    outcome[list(issues)] = Outcome.REPAIRED
    return outcome


def _issue_table(area: Area, issues: Issues, found: Read) -> pa.Table:
    rows = [
        {
            "record": int(area.number[record]),
            "offset": int(area.offset[record]),
            "seq": issue.seq,
            "reason": issue.reason,
            "detail": issue.detail,
        }
        for record in sorted(issues)
        if record not in found.refused
        for issue in dict.fromkeys(issues[record])
    ]
    return pa.Table.from_pylist(rows, schema=ISSUES)


def _without_refused(batch: Batch, area: Area, found: Read) -> Batch:
    """Records whose text cannot be read go aside, with their bytes."""
    if not found.refused:
        return batch
    aside = list(area.aside)
    for record, (reason, detail) in found.refused.items():
        aside.append(Aside(int(area.number[record]), int(area.offset[record]), area.raw(record), reason, detail))
    aside.sort(key=lambda one: one.number)
    keep = np.ones(len(batch), np.bool_)
    keep[list(found.refused)] = False
    return replace(batch, aside=aside_table(aside)).select(keep)
