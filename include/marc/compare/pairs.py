"""The rows of two exports held against each other, part by part: which records are in both, and which in one only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from include.marc.batch import Ints
from include.marc.compare.rows import Rows


@dataclass(frozen=True)
class Pairs:
    """`same`: how many have the same key and the same bytes. `old[i]` and `new[i]` have the same key and other bytes. `deleted`, `added`: in one only.

    `twice`: how many records of both have a key that a record before them had; the second is held against the second.
    """

    same: int
    old: Rows
    new: Rows
    deleted: Rows
    added: Rows
    twice: int


def pair(old: Rows, new: Rows) -> Pairs:
    """Join by key, and by how many records before had the same one. Each side is in the order of its records, and so is what comes out, by `new`."""
    if np.array_equal(old["key"], new["key"]):  # nothing came or went, as on most days: no need to sort
        other = old["digest"] != new["digest"]
        twice = 2 * (len(old) - len(np.unique(old["key"])))
        return Pairs(len(old) - int(other.sum()), old[other], new[other], old[:0], new[:0], twice)
    ours, one, again_old = _in_order(old["key"])
    theirs, two, again_new = _in_order(new["key"])
    # Both are in ascending order of (key, nth): one walk over both, as a search of the one in the other.
    met_old, met_new = _meet(one, again_old, two, again_new)
    mine, yours = ours[met_old], theirs[met_new]
    order = np.argsort(yours)
    mine, yours = mine[order], yours[order]
    other = old["digest"][mine] != new["digest"][yours]
    return Pairs(
        same=len(mine) - int(other.sum()),
        old=old[mine[other]],
        new=new[yours[other]],
        deleted=_others(old, mine),
        added=_others(new, yours),
        twice=int(np.count_nonzero(again_old) + np.count_nonzero(again_new)),
    )


def _others(rows: Rows, places: Ints) -> Rows:
    """The rows that are not at these places."""
    other = np.ones(len(rows), np.bool_)
    other[places] = False
    return rows[other]


def _in_order(key: Ints) -> tuple[Ints, Ints, Ints]:
    """Places in the order of their keys, the keys in that order, and how many equal keys stand before each."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    again = np.append(False, ordered[1:] == ordered[:-1])[: len(key)]
    place = np.arange(len(key))
    return order, ordered, place - np.maximum.accumulate(np.where(again, 0, place)) if again.any() else np.zeros(len(key), np.int64)


def _meet(one: Ints, again_one: Ints, other: Ints, again_other: Ints) -> tuple[Ints, Ints]:
    """Places in the two ordered lists that have the same key and are the same in number among their equals."""
    found = np.searchsorted(other, one) + again_one
    met = np.flatnonzero(found < len(other))
    found = found[met]
    same = (other[found] == one[met]) & (again_other[found] == again_one[met])
    return met[same], found[same]
