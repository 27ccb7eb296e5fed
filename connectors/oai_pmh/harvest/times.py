"""Datestamps (OAI-PMH 2.0, 3.3): UTC, to the day or to the second; what a repository writes, and what it is asked for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

Granularity = Literal["day", "second"]
UNIT: dict[Granularity, timedelta] = {"day": timedelta(days=1), "second": timedelta(seconds=1)}
_STAMP = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


def moment(text: str) -> datetime | None:
    """A datestamp as an aware moment in UTC, to the second; None for what is none. Offsets and fractions, which the standard forbids, are understood."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None
    if zone in (None, "Z"):
        return at
    shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return at - shift if zone[0] == "+" else at + shift


def stamp(at: datetime, granularity: Granularity) -> str:
    """The moment as the repository writes it: a day, or a second with its Z."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d}" if granularity == "day" else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def granularity_of(text: str) -> Granularity:
    """What Identify says: `YYYY-MM-DD` is the day, anything with a time the second."""
    return "second" if "T" in text else "day"


def floor(at: datetime, granularity: Granularity) -> datetime:
    """The moment without what the repository cannot say."""
    at = at.astimezone(UTC).replace(microsecond=0)
    return at.replace(hour=0, minute=0, second=0) if granularity == "day" else at


def halves(first: datetime, last: datetime, granularity: Granularity) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]] | None:
    """An inclusive stretch as two that do not meet; None when it is a single day or second."""
    unit = UNIT[granularity]
    count = (floor(last, granularity) - floor(first, granularity)) // unit
    if count < 1:
        return None
    middle = floor(first, granularity) + unit * (count // 2)
    return (first, middle), (middle + unit, last)
