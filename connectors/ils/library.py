"""What a reader must know of the library whose file it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """`isil` is the agency of records that name none; `timezone` (IANA) is its clock, and says on which day a UTC moment fell."""

    isil: str
    timezone: str
