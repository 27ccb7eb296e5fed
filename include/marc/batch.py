"""Many MARC records as flat arrays: what every reader gives, and every writer and mapping takes.

A **row** is a leader, a control field, or one subfield. Rows stand in the order of the file; the first row of each record is its leader.

    record   tag   seq   ind1 ind2 code   value
    0        LDR   0     -    -    -      00714cam a2200205 a 4500
    0        001   1     -    -    -      12883376
    0        245   2     1    0    a      Interactive multimedia /
    0        245   2     1    0    c      Anne McInnis.

What tells the kinds of row apart (`-` is the number 0, the empty string in a table):
- a leader: tag `LDR`, seq 0;
- a control field: `ind1` is 0. Its text is the value. In danMARC2, 001 and 004 have subfields, so they have indicators;
- a subfield: `ind1` and `code` are not 0;
- a data field without any subfield: one row whose `ind1` is not 0, `code` is 0 and value is empty.
Nothing else is kept, and nothing else is needed: a clean record whose directory is in the order of its fields is written back byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pymarc

    from include.marc.mapping import ColumnMapping

Ints = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
#: Which MARC it is. It decides what is a control field, and where a record says its character set.
Family = Literal["marc21", "unimarc", "danmarc2"]
LEADER = "LDR"
LEADER_LENGTH = 24
#: What a number of 16 bits can tell apart, the leader among them.
MOST_TAGS = 1 << 15


class Outcome(IntEnum):
    """How a record was read. The third outcome, set aside, is a row of `Batch.aside`: such a record has no rows."""

    CLEAN = 0
    REPAIRED = 1


#: What was wrong, where, and (by the words of the reason) what was done. `seq` is the field's number in its record, null if it is the record itself.
ISSUES: pa.Schema = pa.schema(
    [
        pa.field("record", pa.int64(), nullable=False),  # 1-based number in the file, as in Batch.number
        pa.field("offset", pa.int64(), nullable=False),  # of the record's first byte
        pa.field("seq", pa.int32()),
        pa.field("reason", pa.string(), nullable=False),  # a code of include/engine/reasons/marc.yaml
        pa.field("detail", pa.string()),  # plain English; never a value, for items inside records may name patrons
    ]
)
#: Records that could not be read without losing something, with their bytes.
ASIDE: pa.Schema = pa.schema(
    [
        pa.field("record", pa.int64(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("raw", pa.binary(), nullable=False),
    ]
)


class Tags:
    """Tags as small numbers, the same for all batches of one file: `names[number]` is the tag. The leader is number 0.

    A tag of a damaged directory may hold any characters (bytes above 127 read as Latin-1); it always has three.
    """

    def __init__(self) -> None:
        self.names: list[str] = [LEADER]
        self._numbers = {LEADER: 0}

    def number(self, tag: str) -> int:
        """The tag's number; a new one for a tag not met before. Refused where there are more than a number of 16 bits can say: no MARC has them."""
        found = self._numbers.get(tag)
        if found is None:
            if len(self.names) == MOST_TAGS:
                raise Refused(f"there are more than {MOST_TAGS - 1:,} different tags in it: this is no MARC.")
            found = self._numbers[tag] = len(self.names)
            self.names.append(tag)
        return found

    def like(self, pattern: str) -> list[int]:
        """The numbers of the tags met so far that a tag or a pattern (`6XX`) means, in ascending order."""
        if "X" not in pattern:
            return [self._numbers[pattern]] if pattern in self._numbers else []
        return [number for number, name in enumerate(self.names) if _matches(pattern, name)]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Batch:
    """Some thousand records in the order of their file. Arrays are not to be written into.

    For each row: `rec` int32, index of its record in this batch; `tag` int16, number in `tags`; `seq` int32, the field's number in the
    record, from 1; `ind1`, `ind2` uint8, ASCII; `code` uint16, a Unicode character (danMARC2 has `ø`); `value`, text without nulls.
    For each record: `number` int64, from 1, counting those set aside (by byte range: from 1 in that range); `offset` and `length` int64,
    its bytes in the unpacked file; `outcome` uint8, an Outcome; `charset` uint8, index into include.marc.charsets.NAMES; `first` int32,
    its leader's row, with the number of all rows as a last element. `digest` uint64, if it was asked for: the same for the same bytes, to be
    compared within one process.
    """

    tags: Tags
    rec: Ints
    tag: Ints
    seq: Ints
    ind1: Ints
    ind2: Ints
    code: Ints
    value: pa.StringArray
    first: Ints
    number: Ints
    offset: Ints
    length: Ints
    outcome: Ints
    charset: Ints
    issues: pa.Table
    aside: pa.Table
    digest: Ints | None = None

    def __len__(self) -> int:
        """Records, without those set aside."""
        return len(self.number)

    @property
    def rows(self) -> int:
        """Rows of all records."""
        return len(self.rec)

    @property
    def leaders(self) -> pa.StringArray:
        """One for each record."""
        return self.value.take(pa.array(self.first[:-1]))

    @cached_property
    def _by_tag(self) -> tuple[Ints, Ints]:
        """Rows in the order of their tags' numbers, and where the rows of each number begin."""
        order = np.argsort(self.tag, kind="stable")
        return order, np.searchsorted(self.tag[order], np.arange(len(self.tags) + 1))

    def rows_of(self, tag: str) -> Ints:
        """The rows with this tag, in their order; X stands for any character (`6XX`)."""
        order, begin = self._by_tag
        known = len(begin) - 1  # a later batch of the file may have met new ones
        found = [order[begin[number] : begin[number + 1]] for number in self.tags.like(tag) if number < known]
        return found[0] if len(found) == 1 else np.sort(np.concatenate([np.zeros(0, np.int64), *found]))

    def of_tag(self, tag: str) -> Bools:
        """Which rows have this tag."""
        found = np.zeros(self.rows, np.bool_)
        found[self.rows_of(tag)] = True
        return found

    def first_value(self, tag: str, code: str = "") -> pa.StringArray:
        """For each record the first value of a control field, or of a subfield `code`; null where there is none."""
        rows = self.rows_of(tag)
        rows = rows[self.code[rows] == (ord(code) if code else 0)]
        found = np.full(len(self), -1, np.int64)
        found[self.rec[rows[::-1]]] = rows[::-1]  # written from the last to the first, so the first stays
        return self.value.take(pa.array(found, mask=found < 0))

    @property
    def control_numbers(self) -> pa.StringArray:
        """For each record its 001 (danMARC2: 001 *a); null where there is none."""
        second = np.minimum(self.first[:-1] + 1, max(self.rows - 1, 0))
        if self.rows and ((self.tag[second] == self.tags.number("001")) & (self.ind1[second] == 0)).all():
            return self.value.take(pa.array(second))  # where it nearly always stands: right behind the leader
        plain, with_subfields = self.first_value("001"), self.first_value("001", "a")
        return plain if with_subfields.null_count == len(self) else pc.coalesce(plain, with_subfields)

    def select(self, keep: Bools) -> Batch:
        """The records that are kept. Issues and what is set aside stay as they are."""
        if keep.all():
            return self
        rows = np.flatnonzero(keep[self.rec])
        again = (np.cumsum(keep) - 1).astype(np.int32)
        rec = again[self.rec[rows]]
        counts = np.diff(self.first)[keep]
        return replace(
            self,
            rec=rec,
            **{name: getattr(self, name)[rows] for name in ("tag", "seq", "ind1", "ind2", "code")},
            value=self.value.take(pa.array(rows)),
            first=np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)]),
            **{name: getattr(self, name)[keep] for name in ("number", "offset", "length", "outcome", "charset")},
            digest=None if self.digest is None else self.digest[keep],
        )

    def long(self) -> pa.Table:
        """Every row as a row of a table: include.marc.long."""
        from include.marc.long import long

        return long(self)

    def records(self) -> Iterator[pymarc.Record]:
        """The records one by one, as pymarc knows them: include.marc.single."""
        from include.marc.single import records

        return records(self)

    def wide(self, spec: ColumnMapping | Mapping[str, str | Sequence[str]]) -> pa.Table:
        """A row for each record, by sentences (`{"title": "245$a | trim punctuation"}`, include.marc.mapping): include.marc.wide."""
        from include.marc.wide import wide

        return wide(self, spec)


def _matches(pattern: str, tag: str) -> bool:
    return all(wanted in ("X", found) for wanted, found in zip(pattern, tag, strict=True)) and (tag != LEADER or pattern == LEADER)
