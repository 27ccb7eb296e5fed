"""How large a library's world is, and where in it its branches lie."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from math import gcd

import numpy as np

from include.sandbox.world.chance import Index, below, bits
from include.sandbox.world.libraries import LIBRARIES, Branch, Library

DAYS = 730
"""Loans lie in the two years that end with the world's last day."""
LAST_DAY = date(2026, 8, 31)
LEAST, MOST = 1_000, 5_000_000

EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


@dataclass(frozen=True)
class World:
    """One library's world: `loans` loans in the two years that end with `last`. `seed` is the library's own: see `world`."""

    library: Library
    loans: int
    seed: int
    last: date = LAST_DAY

    def __post_init__(self) -> None:
        if not LEAST <= self.loans <= MOST:
            raise ValueError(f"{self.loans} loans: a world has {LEAST} to {MOST}")

    @property
    def first(self) -> date:
        """The first day that has loans."""
        return self.last - timedelta(days=DAYS - 1)

    @property
    def titles(self) -> int:
        return max(100, self.loans // 16)

    @property
    def items(self) -> int:
        return max(200, self.loans // 7)

    @property
    def patrons(self) -> int:
        return max(100, self.loans // 250 * 10)

    @property
    def holds(self) -> int:
        return max(30, self.loans // 100)

    @property
    def authorities(self) -> int:
        return max(40, self.titles // 5)

    @cached_property
    def item_edges(self) -> Index:
        """Items lie branch by branch: branch b holds items edges[b] to edges[b + 1]."""
        return _edges(self.library.branches, self.items, 1)

    @cached_property
    def patron_edges(self) -> Index:
        """Patrons lie branch by branch, in whole families of ten."""
        return _edges(self.library.branches, self.patrons, 10)

    @cached_property
    def stride(self) -> int:
        """A number without a common divisor with `items`: multiplying by it shuffles the items."""
        stride = int(self.items * 0.6180339887) | 1
        while gcd(stride, self.items) != 1:
            stride += 2
        return stride

    def item_branch(self, items: Index) -> Index:
        """The branch of every item; what came after the first day's stock lies anywhere."""
        placed = np.searchsorted(self.item_edges, items, side="right") - 1
        late = below(len(self.library.branches), self.seed, "late item's branch", items)
        return np.where(items < self.items, np.minimum(placed, len(self.library.branches) - 1), late)

    def patron_branch(self, patrons: Index) -> Index:
        """The home library of every patron."""
        placed = np.searchsorted(self.patron_edges, patrons, side="right") - 1
        return np.minimum(placed, len(self.library.branches) - 1)

    def item_title(self, items: Index) -> Index:
        """The title of every item: each title has one, and the popular (low) ones have most of the rest."""
        place = (items * self.stride) % self.items
        share = (bits(self.seed, "copy of", items) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        copy = np.minimum((share**1.5 * self.titles).astype(np.int64), self.titles - 1)
        return np.where(items >= self.items, self.titles + (items - self.items) // 2, np.where(place < self.titles, place, copy))


def world(library: str, loans: int, seed: int = 1, last: date = LAST_DAY) -> World:
    """The world of a library by its id; two libraries of one seed have nothing in common. ValueError names the libraries there are."""
    if library not in LIBRARIES:
        raise ValueError(f"no library {library!r}: one of {', '.join(LIBRARIES)}")
    return World(LIBRARIES[library], loans, zlib.crc32(f"{library} {seed}".encode()), last)


def _edges(branches: tuple[Branch, ...], count: int, block: int) -> Index:
    weights = np.array([branch.weight for branch in branches])
    edges = np.concatenate([[0], np.cumsum(weights) / weights.sum()]) * (count // block)
    rounded: Index = np.rint(edges).astype(np.int64) * block
    rounded[-1] = count
    return rounded
