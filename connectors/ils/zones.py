"""A library's own clock and UTC, for whole columns.

Twice a year a local time is not clear. In the spring gap (02:30 that never was) the time is taken as a clock would show it that nobody had
put forward yet: 02:30 becomes 03:30, and the reader counts it as a warning. In the autumn hour that comes twice the first occurrence is
meant. Both follow from one rule, that of PEP 495's fold=0: in doubt the offset before the change holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
SECOND = 1_000_000
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Changes:
    """A zone's changes of offset, in microseconds: `at` (UTC), and the offsets `before` and `after` each."""

    at: Ints
    before: Ints
    after: Ints


@cache
def changes(zone: str) -> Changes:
    """The changes of offset of an IANA zone between 1900 and 2100, found by bisection to the second."""
    info = ZoneInfo(zone)

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(info).utcoffset() or timedelta()

    found: list[tuple[int, int, int]] = []
    low = FIRST
    while low < LAST:
        high = low + timedelta(days=14)
        if offset(low) != offset(high):
            left, right = low, high
            while right - left > timedelta(seconds=1):
                middle = left + (right - left) // 2
                middle = middle.replace(microsecond=0)
                left, right = (middle, right) if offset(middle) == offset(left) else (left, middle)
            found.append(tuple(part // timedelta(microseconds=1) for part in (right - EPOCH, offset(low), offset(high))))  # type: ignore[arg-type]
        low = high
    if not found:
        fixed = offset(FIRST) // timedelta(microseconds=1)
        found = [((FIRST - EPOCH) // timedelta(microseconds=1), fixed, fixed)]
    at, before, after = np.array(found, np.int64).T
    return Changes(at, before, after)


def to_utc(local: Ints, zone: str) -> tuple[Ints, Bools]:
    """(UTC microseconds, which of them lay in the spring gap) for local wall-clock microseconds."""
    table = changes(zone)
    # The offset after a change holds once the wall clock has passed whichever of the two readings at the change is later.
    held = np.searchsorted(table.at + np.maximum(table.before, table.after), local, side="right")
    offset = np.append(table.before[:1], table.after)[held]
    upcoming = np.minimum(held, len(table.at) - 1)
    in_gap = (held < len(table.at)) & (local >= (table.at + table.before)[upcoming]) & (table.after > table.before)[upcoming]
    return local - offset, in_gap


def to_local(utc: Ints, zone: str) -> Ints:
    """Local wall-clock microseconds for UTC microseconds."""
    table = changes(zone)
    return utc + np.append(table.before[:1], table.after)[np.searchsorted(table.at, utc, side="right")]
