"""SIP2's eighteen characters of date, zone and time, and its numbers of languages.

Source: SIP2 2.00, "Fixed-length field definitions": date YYYYMMDD, four characters of zone, HHMMSS. Blanks are local time, `Z` after three
blanks is UTC; American zone names (`EST5`) are in no Nordic or Dutch machine and are read as local time.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from connectors.circulation.words import Language

LANGUAGES: dict[str, Language] = {"001": "en", "024": "en", "005": "nl", "026": "nl", "006": "sv", "009": "da"}
NUMBERS: dict[Language, str] = {"en": "001", "nl": "005", "sv": "006", "da": "009"}

_PLACES = ((0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2))


@lru_cache(4096)  # a message says the same moment two or three times
def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """The moment, aware and in UTC; None when there is none that can be read."""
    digits = text[:8] + text[12:18]
    if len(digits) != 14 or not digits.isdecimal():
        return None
    place = UTC if text[8:12].strip() == "Z" else zone
    try:  # not strptime, which costs more than all the rest of a message's reading
        found = datetime(*(int(digits[at : at + width]) for at, width in _PLACES), tzinfo=place)  # type: ignore[misc, arg-type]
        found = found.astimezone(UTC)
        return found if MINYEAR < found.year < MAXYEAR else None  # "for ever", which no other zone's clock can say
    except (ValueError, OverflowError):
        return None


_SECOND = timedelta(seconds=1)
_now: dict[ZoneInfo, tuple[datetime, datetime, str]] = {}
"""The second that was asked for last, from when until when, as text: nearly every answer says the present one."""


def stamp(when: datetime, zone: ZoneInfo) -> str:
    """A moment as local time."""
    known = _now.get(zone)
    if known is not None and known[0] <= when < known[1]:
        return known[2]
    begun = when.replace(microsecond=0)
    text = due_stamp(begun, zone)
    _now[zone] = (begun, begun + _SECOND, text)
    return text


@lru_cache(4096)  # loans of one day are due on a few days
def due_stamp(when: datetime, zone: ZoneInfo) -> str:
    """The same for a moment to come."""
    shown = local(when, zone)
    return f"{shown:%Y%m%d}    {shown:%H%M%S}"


def local(when: datetime, zone: ZoneInfo) -> datetime:
    """A moment on that zone's clock; the last that there is, as loans without an end have it, on no other than UTC's."""
    return when.astimezone(zone) if when.year < MAXYEAR else when
