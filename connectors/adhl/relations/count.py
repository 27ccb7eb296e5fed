"""How many patrons borrowed both of two titles: the product of a sparse matrix and its own transpose, a block of titles at a time.

Row a of (titles x patrons) times (patrons x titles) holds, for every title b, the number of patrons who borrowed a and b (Gustavson 1978: only
pairs that occur are touched). A pair of fewer than `least` patrons leaves its block at once; a title of fewer cannot make one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from connectors.adhl.relations.borrowed import Borrowed, Ids, Places

_BLOCK = 24_000_000
"""Additions in one block: a few tenths of a second, and at most some 200 MB."""
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
    popular = np.flatnonzero(patrons_of(borrowed) >= least)
    by_patron = _matrix(borrowed, popular)
    by_title = by_patron.T.tocsr()
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda rows: _block(by_title, by_patron, rows, least), _blocks(by_title, by_patron)))
    first, second, patrons = (
        np.concatenate([np.zeros(0, np.int32), *parts]) for parts in (zip(*found, strict=True) if found else ([], [], []))
    )
    # The places in `popular` rise as those in the titles do: the pairs stay in order.
    return Pairs(popular[first].astype(np.int32), popular[second].astype(np.int32), patrons)


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


def _blocks(by_title: sparse.csr_array, by_patron: sparse.csr_array) -> list[slice]:
    """Rows of `by_title` in runs of about _BLOCK additions."""
    lengths = np.diff(by_patron.indptr).astype(np.int64)
    each = np.concatenate([[0], np.cumsum(lengths[by_title.indices])])[by_title.indptr]
    edges, row, rows = [], 0, by_title.shape[0]
    while row < rows:
        until = max(row + 1, int(np.searchsorted(each, each[row] + _BLOCK, side="right")) - 1)
        edges.append(slice(row, until))
        row = until
    return edges


def _block(by_title: sparse.csr_array, by_patron: sparse.csr_array, rows: slice, least: int) -> tuple[Ids, Ids, Counts]:
    product = by_title[rows] @ by_patron
    keep = np.flatnonzero(product.data >= least)
    first = (np.searchsorted(product.indptr, keep, side="right") - 1 + rows.start).astype(np.int32)
    second, patrons = product.indices[keep].astype(np.int32), product.data[keep]
    del product
    above = second > first
    first, second, patrons = first[above], second[above], patrons[above]
    order = np.lexsort((second, first))
    return first[order], second[order], patrons[order].astype(np.int32)
