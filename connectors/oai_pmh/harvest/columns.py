"""The records of a page as columns: straight from its bytes where its marks tell all (marks.py), else from its records one by one (record.py)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.oai_pmh.harvest.marks import Marks
from connectors.oai_pmh.harvest.page import Page
from connectors.oai_pmh.harvest.record import items
from connectors.oai_pmh.harvest.times import moment

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
STAMP = pa.timestamp("us", "UTC")
SETS = pa.list_(pa.string())
_moment = lru_cache(4096)(moment)


@dataclass(frozen=True)
class Columns:
    """A value a record. `datestamp` is as the repository wrote it; `xml` is null for a deleted record, `sets` where there are none.

    `offset` and `length` are in the page's bytes as they came. `fault` and `mended` are reasons by the record's number in the page, from 0.
    """

    identifier: pa.StringArray
    datestamp: pa.StringArray
    deleted: Bools
    sets: pa.ListArray
    xml: pa.StringArray
    offset: Ints
    length: Ints
    fault: dict[int, str]
    mended: dict[int, str]

    def __len__(self) -> int:
        return len(self.offset)


def columns(page: Page) -> Columns:
    """Every record of the page, in order; none is left out, whatever is wrong with it."""
    if page.marks is None or not page.strict or page.text.encoding != "utf-8" or page.marks.odd.any():
        return _one_by_one(page)
    data, marks = pa.py_buffer(page.text.utf8), page.marks
    gone = marks.deleted | (marks.columns[6] >= marks.columns[7])
    return Columns(
        identifier=_texts(data, marks.columns[2], marks.columns[3]),
        datestamp=_texts(data, marks.columns[4], marks.columns[5], "" if (marks.columns[4] < 0).any() else None),
        deleted=marks.deleted,
        sets=_sets(data, marks),
        xml=_texts(data, marks.columns[6], marks.columns[7], leave=gone),
        offset=marks.start.astype(np.int64) + page.text.cut,
        length=(marks.end - marks.start).astype(np.int64),
        fault={},
        mended={},
    )


def moments(stamps: pa.StringArray) -> pa.TimestampArray:
    """Datestamps as moments, to the second; null for what is none."""
    coded = stamps.dictionary_encode()
    known = pa.array([_moment(text) for text in coded.dictionary.to_pylist()], STAMP)
    return known.take(coded.indices)


def _texts(
    data: pa.Buffer, start: npt.NDArray[np.int32], end: npt.NDArray[np.int32], missing: str | None = None, leave: Bools | None = None
) -> pa.StringArray:
    """The texts at these places, which ascend: every second piece of the page, when it is cut at all of them. Null (`missing`) for no place."""
    count = len(start)
    if not count:
        return pa.array([], pa.string())
    none = start < 0
    cuts = np.empty(2 * count, np.int32)
    cuts[::2], cuts[1::2] = start, end
    if none.any():
        cuts = np.maximum(np.maximum.accumulate(cuts), 0)
    if leave is not None:
        none = none | leave
    pieces = pa.Array.from_buffers(pa.string(), 2 * count - 1, [None, pa.py_buffer(cuts), data])
    found = pieces.take(pa.array(np.arange(0, 2 * count, 2), mask=none))
    return found if missing is None else pc.fill_null(found, missing)


def _sets(data: pa.Buffer, marks: Marks) -> pa.ListArray:
    counts = np.bincount(marks.sets[0], minlength=len(marks))
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    return pa.ListArray.from_arrays(pa.array(offsets), _texts(data, marks.sets[1], marks.sets[2]), mask=pa.array(counts == 0))


def _one_by_one(page: Page) -> Columns:
    found = list(items(page))
    places = np.array([page.text.place(one.start, one.end) for one in found], np.int64).reshape(-1, 2)
    return Columns(
        identifier=pa.array([one.identifier for one in found], pa.string()),
        datestamp=pa.array([one.datestamp for one in found], pa.string()),
        deleted=np.array([one.deleted for one in found], np.bool_),
        sets=pa.array([list(one.sets) or None for one in found], SETS),
        xml=pa.array([None if one.xml is None else one.xml.decode() for one in found], pa.string()),
        offset=places[:, 0],
        length=places[:, 1],
        fault={number: one.fault for number, one in enumerate(found) if one.fault is not None},
        mended={number: one.mended for number, one in enumerate(found) if one.mended is not None},
    )
