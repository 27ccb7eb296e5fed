"""Two batches of one stretch as one, in the order of its records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from include.marc.batch import Batch


def merged(one: Batch, other: Batch) -> Batch:
    """Records of both in the order of their numbers. The batches share their tags."""
    if len(other) == 0:
        return _with_notes(one, other, one)
    order = np.argsort(np.concatenate([one.number, other.number]), kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    rec = np.concatenate([place[: len(one)][one.rec], place[len(one) :][other.rec]])
    rows = np.argsort(rec, kind="stable")
    counts = np.bincount(rec, minlength=len(order))

    def of_rows(name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        found = np.concatenate([getattr(one, name), getattr(other, name)])[rows]
        return found

    def of_records(name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        found = np.concatenate([getattr(one, name), getattr(other, name)])[order]
        return found

    both = Batch(
        tags=one.tags,
        rec=rec[rows],
        **{name: of_rows(name) for name in ("tag", "seq", "ind1", "ind2", "code")},
        value=pa.concat_arrays([one.value, other.value]).take(pa.array(rows)),
        first=np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)]),
        **{name: of_records(name) for name in ("number", "offset", "length", "outcome", "charset")},
        issues=one.issues,
        aside=one.aside,
    )
    return _with_notes(both, other, one)


def _with_notes(batch: Batch, other: Batch, one: Batch) -> Batch:
    issues = pa.concat_tables([one.issues, other.issues]).sort_by("record")
    return replace(batch, issues=issues, aside=pa.concat_tables([one.aside, other.aside]).sort_by("record"))
