"""Identity numbers that can be nobody's, in the national forms: all are made for tests.

- CPR: the highest sequence numbers of a birthday, as MedCom's national test numbers have them; most of them fail modulus 11, as real
  numbers may since 2007. The century digit is right ("Personnummeret i CPR", CPR-kontoret).
- personnummer: birth numbers 980-999, the series that Skatteverket keeps for tests, with Luhn's check digit.
- rijksregisternummer: the highest sequence numbers of a birthday (997, 995... men, 998, 996... women), which no day's births reach, with the
  right modulus 97.
- BSN: numbers that begin with 9, the series of RvIG's test numbers, with the right eleven test.
Where a birthday has more patrons than such numbers, the rest have none (null), as patrons without a number do.
"""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from include.sandbox.world.chance import Index
from include.sandbox.world.people import Flags
from include.sandbox.world.text import Strings, blank, digits, joined


def calendar(day: Index) -> tuple[Index, Index, Index]:
    """(year, month, day of the month) of days since 1970-01-01."""
    dates = day.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    year: Index = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    return year, months.astype(np.int64) % 12 + 1, (dates - months).astype(np.int64) + 1


def rank_of_birthday(day: Index, male: Flags) -> Index:
    """How many patrons before this one share its birthday and sex: 0 for the first."""
    key = day * 2 + male
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    first = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1]) if len(key) else np.zeros(0, dtype=np.int64)
    starts = np.repeat(first, np.diff(np.append(first, len(key))))
    rank = np.empty(len(key), dtype=np.int64)
    rank[order] = np.arange(len(key), dtype=np.int64) - starts
    return rank


def cpr(day: Index, male: Flags, rank: Index) -> Strings:
    """DDMMYYNNNN without hyphen."""
    year, month, date = calendar(day)
    top = np.where(year >= 1937, 9999, 3999)
    number = top - 2 * rank - ~male
    return blank(joined(digits(date, 2), digits(month, 2), digits(year % 100, 2), digits(number, 4)), rank >= 50)


def personnummer(day: Index, male: Flags, rank: Index) -> Strings:
    """YYYYMMDDNNNC without hyphen."""
    year, month, date = calendar(day)
    birth = 998 + male - 2 * rank
    nine = ((year % 100) * 10_000 + month * 100 + date) * 1000 + birth
    total = np.zeros(len(day), dtype=np.int64)
    left = nine.copy()
    for place in range(9):
        figure = left % 10 * (2 if place % 2 == 0 else 1)
        total += figure // 10 + figure % 10
        left //= 10
    return blank(joined(digits(year // 100, 2), digits(nine * 10 + -total % 10, 10)), rank >= 10)


def rijksregister(day: Index, male: Flags, rank: Index) -> Strings:
    """YYMMDDNNNCC without dots; 2 is put before the nine digits for those born since 2000."""
    year, month, date = calendar(day)
    nine = ((year % 100) * 10_000 + month * 100 + date) * 1000 + 998 - male - 2 * rank
    check = 97 - np.where(year >= 2000, nine + 2_000_000_000, nine) % 97
    return blank(digits(nine * 100 + check, 11), rank >= 30)


def bsn(patron: Index) -> Strings:
    """Nine digits that begin with 9 and pass the eleven test."""
    # Weights 9..2 for eight digits and -1 for the last: a body whose check would be 10 gives way to the next body.
    body = 90_000_000 + patron * 2
    check = _eleven(body)
    body = np.where(check == 10, body + 1, body)
    return digits(body * 10 + _eleven(body), 9)


def _eleven(body: Index) -> Index:
    total, left = np.zeros(len(body), dtype=np.int64), body.copy()
    for weight in range(2, 10):
        total += left % 10 * weight
        left //= 10
    return total % 11


def hyphened(number: Strings, place: int) -> Strings:
    """The number with a hyphen before character `place`."""
    return pc.utf8_replace_slice(number, place, place, "-")
