"""Check digits of ISBN and ISSN, for whole columns at once.

ISBN-13: ISO 2108:2017, annex A (weights 1 and 3, modulus 10). ISBN-10: ISO 2108:1992 (weights 10 to 1, modulus 11, X is ten).
ISSN: ISO 3297:2022, 5 (weights 8 to 1, modulus 11, X is ten).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Truths = npt.NDArray[np.bool_]


def isbns(values: pa.Array) -> Truths:
    """For each string: is it a right ISBN of 10 or 13 digits? Hyphens and spaces do not count; null is false."""
    plain = _plain(values)
    return _modulus_10(plain, "^97[89][0-9]{10}$") | _modulus_11(plain, "^[0-9]{9}[0-9X]$", 10)


def issns(values: pa.Array) -> Truths:
    """For each string: is it a right ISSN of 8 digits? Hyphens and spaces do not count; null is false."""
    return _modulus_11(_plain(values), "^[0-9]{7}[0-9X]$", 8)


def each_of_list(lists: pa.Array, check: object) -> Truths:
    """For each list: does every string in it pass `check` (`isbns` or `issns`)? An empty list and null pass."""
    assert callable(check)
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    right = np.ones(len(lists), dtype=bool)
    right[parents[~check(pc.list_flatten(lists))]] = False
    return right


def _plain(values: pa.Array) -> pa.Array:
    return pc.utf8_upper(pc.replace_substring_regex(values.cast(pa.string()), "[- ]", ""))


def _digits(plain: pa.Array, shape: str) -> tuple[Truths, npt.NDArray[np.int64]]:
    """Which values have the shape, and those values' digits (X is ten), one row each."""
    fits: Truths = pc.match_substring_regex(plain, shape).fill_null(False).to_numpy(zero_copy_only=False)
    chosen = plain.filter(pa.array(fits))
    text = np.array("".join(chosen.to_pylist()).encode("ascii"), dtype="S")
    bytes_ = np.frombuffer(text.tobytes(), dtype=np.uint8) if len(chosen) else np.empty(0, dtype=np.uint8)
    digits = np.where(bytes_ == ord("X"), 10, bytes_ - ord("0")).astype(np.int64)
    return fits, digits.reshape(len(chosen), -1) if len(chosen) else digits.reshape(0, 1)


def _modulus_10(plain: pa.Array, shape: str) -> Truths:
    fits, digits = _digits(plain, shape)
    right = fits.copy()
    right[fits] = (digits[:, ::2].sum(axis=1) + 3 * digits[:, 1::2].sum(axis=1)) % 10 == 0
    return right


def _modulus_11(plain: pa.Array, shape: str, length: int) -> Truths:
    fits, digits = _digits(plain, shape)
    right = fits.copy()
    right[fits] = (digits @ np.arange(length, 0, -1) if len(digits) else np.empty(0)) % 11 == 0
    return right
