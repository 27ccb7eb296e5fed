"""Records that were read one by one as a Batch: the general way in, for damaged records, odd XML, tests and generated data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from include.marc.batch import ASIDE, ISSUES, LEADER, Batch, Outcome, Tags
from include.marc.record import Field, Record


@dataclass(frozen=True)
class Issue:
    """Something that was wrong with a record. `seq` is the field's number, from 1; None if it is the record itself."""

    reason: str
    detail: str | None = None
    seq: int | None = None


@dataclass(frozen=True)
class Found:
    """A record and where it came from. It is clean if it has no issues. `charset` is a number of include.marc.charsets.NAMES."""

    record: Record
    number: int
    offset: int = 0
    length: int = 0
    charset: int = 0
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True)
class Aside:
    """Bytes that are no record, or one that cannot be read without losing something."""

    number: int
    offset: int
    raw: bytes
    reason: str
    detail: str | None = None


@dataclass
class _Rows:
    rec: list[int] = field(default_factory=list)
    tag: list[int] = field(default_factory=list)
    seq: list[int] = field(default_factory=list)
    ind1: list[int] = field(default_factory=list)
    ind2: list[int] = field(default_factory=list)
    code: list[int] = field(default_factory=list)
    value: list[str] = field(default_factory=list)

    def add(self, rec: int, tag: int, seq: int, indicators: str, code: str, value: str) -> None:
        self.rec.append(rec)
        self.tag.append(tag)
        self.seq.append(seq)
        self.ind1.append(ord(indicators[0]) if indicators else 0)
        self.ind2.append(ord(indicators[1]) if indicators else 0)
        self.code.append(ord(code) if code else 0)
        self.value.append(value)


def build(found: Sequence[Found], tags: Tags, aside: Iterable[Aside] = ()) -> Batch:
    """A Batch of the records, with what was set aside beside them. Indicators must be ASCII, codes single characters below U+10000."""
    rows, first = _Rows(), []
    for rec, one in enumerate(found):
        first.append(len(rows.rec))
        rows.add(rec, tags.number(LEADER), 0, "", "", one.record.leader)
        for seq, part in enumerate(one.record.fields, start=1):
            tag = tags.number(part.tag)
            if part.data is not None:
                rows.add(rec, tag, seq, "", "", part.data)
            elif not part.subfields:
                rows.add(rec, tag, seq, part.indicators, "", "")
            for code, value in part.subfields:
                rows.add(rec, tag, seq, part.indicators, code, value)
    first.append(len(rows.rec))
    issues = [
        {"record": one.number, "offset": one.offset, "seq": issue.seq, "reason": issue.reason, "detail": issue.detail}
        for one in found
        for issue in one.issues
    ]
    return Batch(
        tags=tags,
        rec=np.array(rows.rec, np.int32),
        tag=np.array(rows.tag, np.int16),
        seq=np.array(rows.seq, np.int32),
        ind1=np.array(rows.ind1, np.uint8),
        ind2=np.array(rows.ind2, np.uint8),
        code=np.array(rows.code, np.uint16),
        value=pa.array(rows.value, pa.string()),
        first=np.array(first, np.int32),
        number=np.array([one.number for one in found], np.int64),
        offset=np.array([one.offset for one in found], np.int64),
        length=np.array([one.length for one in found], np.int64),
        outcome=np.array([Outcome.REPAIRED if one.issues else Outcome.CLEAN for one in found], np.uint8),
        charset=np.array([one.charset for one in found], np.uint8),
        issues=pa.Table.from_pylist(issues, schema=ISSUES),
        aside=aside_table(aside),
    )


def aside_table(aside: Iterable[Aside]) -> pa.Table:
    """The ASIDE table of these."""
    rows: list[dict[str, Any]] = [
        {"record": one.number, "offset": one.offset, "length": len(one.raw), "reason": one.reason, "detail": one.detail, "raw": one.raw}
        for one in aside
    ]
    return pa.Table.from_pylist(rows, schema=ASIDE)


def one_by_one(batch: Batch) -> list[Record]:
    """The batch's records as include.marc.record.Record: what `build` was given."""
    names, values = batch.tags.names, batch.value.to_pylist()
    records: list[Record] = []
    for rec in range(len(batch)):
        start, stop = int(batch.first[rec]), int(batch.first[rec + 1])
        record = Record(values[start])
        last = 0
        for row in range(start + 1, stop):
            seq, ind1, code = int(batch.seq[row]), int(batch.ind1[row]), int(batch.code[row])
            if seq != last:
                record.fields.append(_field(names[batch.tag[row]], ind1, int(batch.ind2[row]), values[row]))
                last = seq
            if code:
                record.fields[-1].subfields.append((chr(code), values[row]))
        records.append(record)
    return records


def _field(tag: str, ind1: int, ind2: int, value: str) -> Field:
    return Field(tag, indicators=chr(ind1) + chr(ind2)) if ind1 else Field(tag, data=value)
