"""How many patrons borrowed both of two titles: the product of a sparse matrix and its own transpose, a block of titles at a time.

Row a of (titles x patrons) times (patrons x titles) holds, for every title b, the number of patrons who borrowed a and b (Gustavson 1978: only
pairs that occur are touched). A pair of fewer than `least` patrons leaves its block at once; a title of fewer cannot make one.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from connectors.adhl.relations.borrowed import Borrowed, Ids, Places

_BLOCK = 24_000_000
"""Additions in one block: a few tenths of a second, and at most some 200 MB."""
_SLICES = 8
Counts = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Pairs:
    """first[i] < second[i] are places in a table of titles; `patrons` is by how many both were borrowed. Sorted by both."""

    first: Ids
    second: Ids
    patrons: Counts

    def __len__(self) -> int:
        return len(self.first)


def patrons_of(borrowed: Borrowed) -> Counts:
    """By how many patrons each title was borrowed."""
    return np.bincount(borrowed.title, minlength=borrowed.titles.num_rows).astype(np.int32)


def pairs(borrowed: Borrowed, least: int, *, threads: int = 2) -> Pairs:
    """Every pair of titles that at least `least` patrons borrowed, with their number."""
    patrons = patrons_of(borrowed)
    popular = np.flatnonzero(patrons >= least)
    # The most borrowed first: they fill the front of every row, which stays in the processor's cache.
    popular = popular[np.argsort(-patrons[popular], kind="stable")]
    by_patron = _matrix(borrowed, popular)
    by_title = by_patron.T.tocsr()
    found: list[tuple[Ids, Ids, Counts]] = []
    with ThreadPoolExecutor(threads) as pool:
        for rows, rest in _slices(by_title, by_patron):
            blocks = [slice(rows.start + one.start, rows.start + one.stop) for one in _blocks(by_title[rows], rest)]
            found += pool.map(partial(_block, by_title, rest, rows.start, least), blocks)
    one, other, both = (np.concatenate([np.zeros(0, np.int32), *parts]) for parts in (zip(*found, strict=True) if found else ([], [], [])))
    found.clear()
    one, other = popular[one].astype(np.int32), popular[other].astype(np.int32)
    first, second = np.minimum(one, other), np.maximum(one, other)
    order = np.argsort((first.astype(np.int64) << 32) | second)
    return Pairs(first[order], second[order], both[order].astype(np.int32))


def _matrix(borrowed: Borrowed, popular: Places) -> sparse.csr_array:
    """(patrons x popular titles), 1 where borrowed."""
    place = np.full(borrowed.titles.num_rows, -1, np.int32)
    place[popular] = np.arange(len(popular), dtype=np.int32)
    title = place[borrowed.title]
    keep = title >= 0
    first = np.concatenate([[0], np.cumsum(keep)])[borrowed.first]
    title = title[keep]
    wide = np.int32 if len(title) < 2**31 else np.int64
    return sparse.csr_array((np.ones(len(title), np.int32), title, first.astype(wide)), shape=(borrowed.patrons, len(popular)))


def _slices(by_title: sparse.csr_array, by_patron: sparse.csr_array) -> Iterator[tuple[slice, sparse.csr_array]]:
    """(rows, the columns of `by_patron` from the first of those rows on): a pair is wanted once, and so each slice has fewer columns."""
    each = _additions(by_title, by_patron)
    edges = [0, *(int(np.searchsorted(each, each[-1] * share)) for share in np.arange(1, _SLICES) / _SLICES), by_title.shape[0]]
    for start, stop in pairwise(sorted(set(edges))):
        if start:
            by_patron = _columns_from(by_patron, start - (by_title.shape[0] - by_patron.shape[1]))
        yield slice(start, stop), by_patron


def _columns_from(matrix: sparse.csr_array, start: int) -> sparse.csr_array:
    """The columns from `start` on, numbered anew."""
    keep = matrix.indices >= start
    first = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr].astype(matrix.indptr.dtype)
    return sparse.csr_array(
        (matrix.data[keep], matrix.indices[keep] - np.int32(start), first), shape=(matrix.shape[0], matrix.shape[1] - start)
    )


def _additions(by_title: sparse.csr_array, by_patron: sparse.csr_array) -> Places:
    """How many additions all rows of the product before each row take."""
    lengths = np.diff(by_patron.indptr).astype(np.int64)
    found: Places = np.concatenate([[0], np.cumsum(lengths[by_title.indices])])[by_title.indptr]
    return found


def _blocks(by_title: sparse.csr_array, by_patron: sparse.csr_array) -> list[slice]:
    """Rows of `by_title` in runs of about _BLOCK additions."""
    each = _additions(by_title, by_patron)
    edges, row, rows = [], 0, by_title.shape[0]
    while row < rows:
        until = max(row + 1, int(np.searchsorted(each, each[row] + _BLOCK, side="right")) - 1)
        edges.append(slice(row, until))
        row = until
    return edges


def _block(by_title: sparse.csr_array, rest: sparse.csr_array, start: int, least: int, rows: slice) -> tuple[Ids, Ids, Counts]:
    """The pairs of the titles in `rows` with later ones; column 0 of `rest` is title `start`."""
    product = by_title[rows] @ rest
    keep = np.flatnonzero(product.data >= least)
    first = (np.searchsorted(product.indptr, keep, side="right") - 1 + rows.start).astype(np.int32)
    second, patrons = product.indices[keep].astype(np.int32) + np.int32(start), product.data[keep]
    del product
    later = second > first
    return first[later], second[later], patrons[later]
