"""How moments, lengths of time, counts and sizes are written for a reader: in their language, on the partner's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from include.engine import clock
from include.engine.reasons import number
from plugins.board.say import say

_MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "da": "jan feb mar apr maj jun jul aug sep okt nov dec",
    "sv": "jan feb mars apr maj juni juli aug sep okt nov dec",
    "nl": "jan feb mrt apr mei jun jul aug sep okt nov dec",
}
_UNITS = (("B", 0), ("kB", 1), ("MB", 2), ("GB", 3), ("TB", 4))


def day(at: datetime, language: str, zone: str = "UTC") -> str:
    """`22 Nov 2026`."""
    here = at.astimezone(ZoneInfo(zone))
    return f"{here.day} {_MONTHS[language].split()[here.month - 1]} {here.year}"


def moment(at: datetime, language: str, zone: str = "UTC", *, seconds: bool = False) -> str:
    """`today 06:00`, `yesterday 06:00`, `22 Nov 06:00`, and with its year when that is not this one."""
    here, today = at.astimezone(ZoneInfo(zone)), clock.now().astimezone(ZoneInfo(zone))
    time = f"{here:%H:%M:%S}" if seconds else f"{here:%H:%M}"
    for back, key in ((0, "time.today"), (1, "time.yesterday"), (-1, "time.tomorrow")):
        if here.date() == today.date() - timedelta(days=back):
            return f"{say(language, key)} {time}"
    date = day(at, language, zone)
    return f"{date.rpartition(' ')[0] if here.year == today.year else date} {time}"


def exact(at: datetime, zone: str = "UTC") -> str:
    """The moment with its zone, for who hovers over it."""
    here = at.astimezone(ZoneInfo(zone))
    return f"{here:%Y-%m-%d %H:%M:%S} {zone} ({here:%z})"


def age(at: datetime, language: str) -> str:
    """How long ago: `just now`, `12 min`, `3 h`, `2 days`."""
    return lasting(clock.now() - at, language)


def lasting(length: timedelta, language: str) -> str:
    """A length of time in its largest unit."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return say(language, "time.seconds", count=seconds)
    if seconds < 3600:
        return say(language, "time.minutes", count=seconds // 60)
    if seconds < 48 * 3600:
        return say(language, "time.hours", count=seconds // 3600)
    return say(language, "time.days", count=seconds // 86400)


def count(value: int, language: str) -> str:
    """1,203 in English, 1.203 in Danish and Dutch, 1 203 in Swedish."""
    return number(value, language)


def size(value: int | None, language: str) -> str:
    """Bytes in decimal units: `1.2 MB`, with the language's own comma."""
    if value is None:
        return ""
    unit, power = next((unit, power) for unit, power in reversed(_UNITS) if value >= 1000**power or power == 0)
    shown = f"{value / 1000**power:.1f}" if power and value < 100 * 1000**power else f"{value / 1000**power:.0f}"
    return f"{shown if language == 'en' else shown.replace('.', ',')} {unit}"


def percent(share: float, language: str) -> str:
    """0.0153 -> `1.5 %`; never rounded to nothing or to all."""
    value = 100 * share
    shown = f"{value:.0f}" if value in (0, 100) or 10 <= value < 99 else f"{min(max(value, 0.1), 99.9):.1f}"
    return f"{shown if language == 'en' else shown.replace('.', ',')} %"
