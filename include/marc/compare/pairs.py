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
    # Both are in ascending order of (key, nth): one walk over both, as a search of the one in the other.
    both_old, both_new = _meet(one, again_old, other, again_new)
    mine, yours = ours[both_old], theirs[both_new]
    order = np.argsort(yours, kind="stable")
    mine, yours = mine[order], yours[order]
    deleted = np.setdiff1d(np.arange(len(old.key)), mine, assume_unique=True)
    added = np.setdiff1d(np.arange(len(new.key)), yours, assume_unique=True)
    twice = int((again_old > 0).sum() + (again_new > 0).sum())
    return Pairs(mine, yours, old.digest[mine] == new.digest[yours], deleted, added, twice)


def _in_order(key: Ints) -> tuple[Ints, Ints, Ints]:
    """Places in the order of their keys, the keys in that order, and how many equal keys stand before each."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    fresh = np.ones(len(key), np.bool_)
    fresh[1:] = ordered[1:] != ordered[:-1]
    place = np.arange(len(key))
    return order, ordered, place - np.maximum.accumulate(np.where(fresh, place, 0))


def _meet(one: Ints, again_one: Ints, other: Ints, again_other: Ints) -> tuple[Ints, Ints]:
    """Places in the two ordered lists that have the same key and are the same in number among their equals."""
    found = np.searchsorted(other, one) + again_one
    inside = found < len(other)
    at = np.minimum(found, max(len(other) - 1, 0))
    met = inside & (other[at] == one) & (again_other[at] == again_one) if len(other) else np.zeros(len(one), np.bool_)
    return np.flatnonzero(met), found[met]
