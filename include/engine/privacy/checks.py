"""Whether digits can be a given country's identity number: dates and check digits, over many numbers at once.

Each function takes an (n, k) array of digits 0..9 (int64) and returns n booleans.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.int64]
Truths = Any  # n booleans: NDArray[np.bool_], which NumPy's own operators do not keep to mypy's liking

_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
_CPR = np.array([4, 3, 2, 7, 6, 5, 4, 3, 2, 1], dtype=np.int64)
_BSN = np.array([9, 8, 7, 6, 5, 4, 3, 2, -1], dtype=np.int64)
_ISBN10 = np.arange(10, 0, -1, dtype=np.int64)


def cpr(digits: Digits, this_year: int) -> Truths:
    """DDMMYYSSSS with a calendar day of birth that is not in a year to come; the century is the seventh digit's (CPR-kontoret,
    "Personnummeret i CPR-systemet"). Modulus 11 is not asked for: numbers without it are given out since 1 October 2007. Nor is the day
    31 or less: replacement numbers (erstatningspersonnumre) have 60 added to it.
    """
    day, month, born = _pair(digits, 0), _pair(digits, 2), cpr_year(digits)
    return _calendar_day(np.where(day > 60, day - 60, day), month, born) & (born <= this_year)


def cpr_year(digits: Digits) -> Digits:
    """The year of birth in a CPR number, which its seventh digit makes one of four digits (CPR-kontoret, as above)."""
    year, seventh = _pair(digits, 4), digits[:, 6]
    late = (seventh == 4) | (seventh == 9)
    century = np.where(seventh <= 3, 1900, np.where(late, np.where(year <= 36, 2000, 1900), np.where(year <= 57, 2000, 1800)))
    return np.asarray(century + year)


def replacement(digits: Digits) -> Truths:
    """A ten-digit number whose day of birth has 60 added to it."""
    return _pair(digits, 0) > 60


def modulus_11(digits: Digits) -> Truths:
    """The check digit that every CPR number had until October 2007."""
    return np.asarray(digits @ _CPR % 11 == 0)


def isbn10(digits: Digits) -> Truths:
    """The check digit of a ten-digit ISBN (ISO 2108:1992); one that ends in X is no number of ten digits."""
    return np.asarray(digits @ _ISBN10 % 11 == 0)


def personnummer(digits: Digits) -> Truths:
    """YYMMDDNNNC with a calendar day and the Luhn digit that all of them have (Folkbokföringslagen 1991:481, 18 §; SKV 704); co-ordination
    numbers (samordningsnummer) have 60 added to the day.
    """
    year, month, day = _pair(digits, 0), _pair(digits, 2), _pair(digits, 4)
    # Written with two digits, the year 00 may be 1900 or 2000: of the two only 2000 had a 29 February, and it is given the benefit.
    return _calendar_day(np.where(day > 60, day - 60, day), month, 2000 + year) & luhn(digits)


def personnummer_12(digits: Digits) -> Truths:
    """YYYYMMDDNNNC: as `personnummer`, in the years 1800 to 2099."""
    century = _pair(digits, 0)
    return (century >= 18) & (century <= 20) & personnummer(digits[:, 2:])


def coordination(digits: Digits) -> Truths:
    """A ten-digit Swedish number whose day has 60 added to it."""
    return _pair(digits, 4) > 60


def bsn(digits: Digits) -> Truths:
    """Nine digits that pass the eleven test (Logisch Ontwerp BSN); one number in eleven does, so this alone proves nothing."""
    return (digits @ _BSN % 11 == 0) & (digits[:, 0:1] != digits[:, 1:]).any(axis=1)


def rijksregisternummer(digits: Digits) -> Truths:
    """YYMMDDSSSCC with its control number, 97 less the rest by 97, of the nine digits or for births from 2000 on of "2" and the nine
    (Koninklijk besluit van 3 april 1984). BIS numbers have 20 or 40 added to the month; month and day may be 00 where unknown.
    """
    month, day = _pair(digits, 2) % 20, _pair(digits, 4)
    nine = digits[:, :9] @ (10 ** np.arange(8, -1, -1, dtype=np.int64))
    control = _pair(digits, 9)
    dated = (_pair(digits, 2) < 60) & (month <= 12) & (day <= _DAYS[np.clip(month, 0, 12)] + 31 * (month == 0))
    return dated & ((control == 97 - nine % 97) | (control == 97 - (nine + 2_000_000_000) % 97)) & (nine > 0)


def card(digits: Digits) -> Truths:
    """A patron's card in the 14-digit library Codabar scheme: 2 for a patron (3 is an item), four digits of the library, eight of the
    card, and a Luhn digit.
    """
    return (digits[:, 0] == 2) & luhn(digits)


def luhn(digits: Digits) -> Truths:
    """The modulus 10 check digit of ISO/IEC 7812-1, annex B."""
    weights = np.where(np.arange(digits.shape[1])[::-1] % 2 == 1, 2, 1)
    products = digits * weights
    return np.asarray((products // 10 + products % 10).sum(axis=1) % 10 == 0)


def _pair(digits: Digits, at: int) -> Any:
    return digits[:, at] * 10 + digits[:, at + 1]


def _calendar_day(day: Digits, month: Digits, year: Digits) -> Truths:
    known = (month >= 1) & (month <= 12)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = _DAYS[np.where(known, month, 0)] - ((month == 2) & ~leap)
    return np.asarray(known & (day >= 1) & (day <= last))
