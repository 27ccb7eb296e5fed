"""What a CPR number says of its owner beside who it is: sex and year of birth.

CPR-kontoret, "Personnummeret i CPR-systemet": the last digit is odd for men and even for women; the century of the birth is the seventh
digit's. Modulus 11 is not asked for: numbers without it are given out since October 2007. A replacement number (erstatningspersonnummer, 60
added to the day) tells the same; its day is taken back.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine import clock
from include.engine.privacy import checks


def sex_and_year(numbers: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """(sex: "m" or "k", year of birth: int16) of each CPR number, written with its hyphen or without; null for what is no CPR number."""
    if isinstance(numbers, pa.ChunkedArray):
        numbers = numbers.combine_chunks()
    plain = pc.replace_substring_regex(pc.fill_null(numbers.cast(pa.string()), ""), r"[-\s]", "")
    shaped = np.flatnonzero(pc.match_substring_regex(plain, "^[0-9]{10}$").to_numpy(zero_copy_only=False))
    count = len(plain)
    sex, year, known = np.full(count, "", dtype=object), np.zeros(count, np.int16), np.zeros(count, bool)
    if len(shaped):
        picked = plain.take(pa.array(shaped))
        start = np.frombuffer(picked.buffers()[1], np.int32)[picked.offset]
        data = np.frombuffer(picked.buffers()[2], np.uint8)[start : start + 10 * len(shaped)]
        digits = (data - np.uint8(48)).astype(np.int64).reshape(-1, 10)
        real = checks.cpr(digits, clock.now().year)
        known[shaped[real]] = True
        sex[shaped] = np.where(digits[:, 9] % 2 == 1, "m", "k")
        year[shaped] = checks.cpr_year(digits)
    return pa.array(sex, pa.string(), mask=~known), pa.array(year, pa.int16(), mask=~known)
