"""Two indexes held against each other: which records are in both, and which in one only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from include.marc.batch import Bools, Ints
from include.marc.compare.index import Index


@dataclass(frozen=True)
class Pairs:
    """Places in the two indexes. `old[i]` and `new[i]` have one key; `same[i]`: also the same bytes. `deleted`, `added`: in one only.

    `twice`: how many records of both have a key that a record before them had; the second is held against the second.
    """

    old: Ints
    new: Ints
    same: Bools
    deleted: Ints
    added: Ints
    twice: int


def pair(old: Index, new: Index) -> Pairs:
    """Join by key, and by how many records before had the same one."""
    if np.array_equal(old.key, new.key):  # nothing came or went, as on most days: no need to sort
        place = np.arange(len(old.key))
        nobody = np.zeros(0, np.int64)
        return Pairs(place, place, old.digest == new.digest, nobody, nobody, 2 * (len(place) - len(np.unique(old.key))))
    ours, one, again_old = _in_order(old.key)
    theirs, other, again_new = _in_order(new.key)
    twice = int(np.count_nonzero(again_old) + np.count_nonzero(again_new))
    # Both are in ascending order of (key, nth): one walk over both, as a search of the one in the other.
    both_old, both_new = _meet(one, again_old, other, again_new)
    del one, other, again_old, again_new
    mine, yours = ours[both_old], theirs[both_new]
    order = np.argsort(yours).astype(np.int32)
    mine, yours = mine[order], yours[order]
    del order, ours, theirs, both_old, both_new
    return Pairs(mine, yours, old.digest[mine] == new.digest[yours], _others(len(old.key), mine), _others(len(new.key), yours), twice)


def _others(count: int, places: Ints) -> Ints:
    """Of so many places those that are not among `places`."""
    other = np.ones(count, np.bool_)
    other[places] = False
    return np.flatnonzero(other)


def _in_order(key: Ints) -> tuple[Ints, Ints, Ints]:
    """Places in the order of their keys, the keys in that order, and how many equal keys stand before each (int32, for there may be many)."""
    order = np.argsort(key, kind="stable").astype(np.int32)
    ordered = key[order]
    again = np.append(False, ordered[1:] == ordered[:-1])[: len(key)]
    if not again.any():
        return order, ordered, np.zeros(len(key), np.int32)
    place = np.arange(len(key), dtype=np.int32)
    return order, ordered, place - np.maximum.accumulate(np.where(again, np.int32(0), place))


def _meet(one: Ints, again_one: Ints, other: Ints, again_other: Ints) -> tuple[Ints, Ints]:
    """Places in the two ordered lists that have the same key and are the same in number among their equals."""
    found = np.searchsorted(other, one).astype(np.int32) + again_one
    met = np.flatnonzero(found < len(other)).astype(np.int32)
    found = found[met]
    same = (other[found] == one[met]) & (again_other[found] == again_one[met])
    return met[same], found[same]
