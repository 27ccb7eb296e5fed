"""Words for time in a partner's YAML: `30s`, `5 min`, `monday 03:00`, `daily 06:00`, `monthly 1 03:00`.

A schedule is a moment on the partner's own wall clock. Daylight saving is cronsim's business (Debian cron's rules): a time that the clock
jumps over in spring is due right after the jump, one that comes twice in autumn is due once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": 1, "sec": 1, "min": 60, "h": 3600, "hour": 3600, "hours": 3600, "day": 86400, "days": 86400}
_DURATION = re.compile(r"(\d+)\s*(s|sec|min|hours?|h|days?)")
LONGEST = timedelta(days=36_500)
"""A hundred years: what is longer cannot be taken off today's date, and was not meant."""
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_SCHEDULE = re.compile(
    rf"(?:(?P<every>daily|weekdays|monthly\s+(?P<day>\d{{1,2}})|{'|'.join(_DAYS)})\s+)(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})"
)


def parse_duration(value: Any) -> timedelta:
    """`30s`, `5 min`, `2 h`, `7 days` -> timedelta; ValueError says what is allowed."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{value!r} is no length of time: write a number and s, min, h or days, such as '30s', '5 min' or '7 days'")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{value!r} is too long: at most {spell_duration(LONGEST)}")
    return timedelta(seconds=seconds)


def spell_duration(length: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back."""
    seconds = int(length.total_seconds())
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds}s"


def parse_schedule(value: Any) -> str:
    """Words or five cron fields -> five cron fields; ValueError says what is allowed."""
    text = " ".join(str(value).split()).lower()
    if text == "hourly":
        return "0 * * * *"
    match = _SCHEDULE.fullmatch(text)
    if match:
        every, hour, minute = match["every"], int(match["hour"]), int(match["minute"])
        if every in _DAYS:
            cron = f"{minute} {hour} * * {_DAYS.index(every)}"
        elif every == "weekdays":
            cron = f"{minute} {hour} * * 1-5"
        elif every == "daily":
            cron = f"{minute} {hour} * * *"
        else:
            cron = f"{minute} {hour} {int(match['day'])} * *"
    else:
        cron = text
    try:
        CronSim(cron, datetime(2026, 1, 1))
    except CronSimError:
        raise ValueError(
            f"{value!r} is no schedule: write 'hourly', 'daily 06:00', 'weekdays 06:00', 'monday 03:00', 'monthly 1 03:00' "
            "or five cron fields"
        ) from None
    return cron


def next_due(cron: str, zone: str, after: datetime) -> datetime:
    """The first moment (aware, in the zone) strictly after `after` (aware) at which `cron` is due on the wall clock of `zone`."""
    return _next(cron, zone, _minute(after))


def last_due(cron: str, zone: str, at: datetime) -> datetime:
    """The last moment (aware, in the zone) at or before `at` (aware) at which `cron` was due."""
    return _last(cron, zone, _minute(at))


# A calendar is by the minute, and hundreds of partners have the same few schedules: what is asked again within the minute is known.
@lru_cache(4096)
def _next(cron: str, zone: str, minute: datetime) -> datetime:
    return next(CronSim(cron, minute.astimezone(ZoneInfo(zone))))


@lru_cache(4096)
def _last(cron: str, zone: str, minute: datetime) -> datetime:
    return next(CronSim(cron, (minute + timedelta(minutes=1)).astimezone(ZoneInfo(zone)), reverse=True))


def _minute(at: datetime) -> datetime:
    """Without seconds, in UTC: as a key, the same moment written with another offset must be the same."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(spell_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*(s|sec|min|hours?|h|days?)$", "examples": ["30s", "5 min", "2 h", "7 days"]}),
]
Schedule = Annotated[
    str,
    BeforeValidator(parse_schedule),
    WithJsonSchema({"type": "string", "examples": ["hourly", "daily 06:00", "weekdays 06:00", "monday 03:00", "monthly 1 03:00"]}),
]
