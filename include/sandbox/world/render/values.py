"""Dates, money and codes in the forms that library systems write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from include.sandbox.world.chance import Index
from include.sandbox.world.people import Flags
from include.sandbox.world.text import Strings, blank, clock, days, digits, either, joined, pick, whole
from include.sandbox.world.world import World


def day(number: Index, pattern: str, known: Flags | None = None) -> Strings:
    """Days written by `pattern`; null where not `known`."""
    text = days(number, pattern)
    return text if known is None else blank(text, ~known)


def moment(number: Index, second: Index, pattern: str, with_seconds: bool = False, known: Flags | None = None) -> Strings:
    """Day and time of day on the library's own clock."""
    text = joined(days(number, pattern), " ", clock(second if with_seconds else second // 60 * 60, "%H:%M:%S" if with_seconds else "%H:%M"))
    return text if known is None else blank(text, ~known)


def utc(world: World, number: Index, second: Index, known: Flags | None = None) -> Strings:
    """The same in UTC as ISO 8601 with milliseconds, as FOLIO writes it. The hour of a time change has no loans, so a day's noon tells its offset."""
    distinct, place = np.unique(number, return_inverse=True)
    zone = ZoneInfo(world.library.timezone)
    offsets = [_offset(int(one), zone) for one in distinct]
    shifted = number * 86_400 + second - np.array(offsets, dtype=np.int64)[place]
    text = joined(days(shifted // 86_400, "%Y-%m-%dT"), clock(shifted % 86_400), ".000+00:00")
    return text if known is None else blank(text, ~known)


def _offset(number: int, zone: ZoneInfo) -> int:
    noon = datetime(1970, 1, 1, 12, tzinfo=UTC) + timedelta(days=number)
    return int((noon.astimezone(zone).utcoffset() or timedelta()).total_seconds())


def money(hundredths: Index, decimal: str, known: Flags | None = None) -> Strings:
    """`250,00` or `250.00`."""
    text = joined(whole(hundredths // 100), decimal, digits(hundredths % 100, 2))
    return text if known is None else blank(text, ~known)


def yes(where: Flags, words: tuple[str, str]) -> Strings:
    """The word for yes where true, else the word for no."""
    return either(where, words[0], words[1])


def code(words: list[str | None], index: Index, known: Flags | None = None) -> Strings:
    """The code of every row; null where not `known`."""
    text = pick(words, np.maximum(index, 0))
    return text if known is None else blank(text, ~known)
