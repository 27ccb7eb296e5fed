"""Chance that anyone can look up again: every draw is a hash of (seed, name of the draw, index).

Because no draw depends on the one before it, a chunk of the world can be made without the chunks before it, in any size of chunk, and
comes out the same to the byte. The hash is splitmix64's finalizer (Steele, Lea & Flood, "Fast splittable pseudorandom number generators").
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]

_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mix(bits: Bits) -> Bits:
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * _ONE
        bits = (bits ^ (bits >> np.uint64(27))) * _TWO
        return bits ^ (bits >> np.uint64(31))


def bits(seed: int, name: str, *index: Index) -> Bits:
    """64 hashed bits for every row of `index` (arrays of equal length)."""
    start = np.array([(seed * 0x9E3779B97F4A7C15 + zlib.crc32(name.encode())) % 2**64], dtype=np.uint64)
    state = _mix(start)
    with np.errstate(over="ignore"):
        for column in index:
            state = _mix(state + (column.astype(np.uint64) + np.uint64(1)) * _STEP)
    return state


def unit(seed: int, name: str, *index: Index) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for every row."""
    share: npt.NDArray[np.float64] = (bits(seed, name, *index) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return share


def below(limit: int | Index, seed: int, name: str, *index: Index) -> Index:
    """A whole number in [0, limit) for every row; `limit` may differ from row to row."""
    drawn: Index = (unit(seed, name, *index) * limit).astype(np.int64)
    return drawn


def choose(weights: list[float], seed: int, name: str, *index: Index) -> Index:
    """A position in `weights` for every row, as often as its weight says."""
    edges = np.cumsum(np.array(weights, dtype=np.float64))
    found: Index = np.searchsorted(edges / edges[-1], unit(seed, name, *index), side="right").astype(np.int64)
    return np.minimum(found, len(weights) - 1)
