"""One place that says what time it is, so that tests can say it instead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def day_in(zone: str, at: datetime) -> date:
    """The calendar day at `at` (aware) in the IANA time zone `zone`: what a partner calls "today"."""
    return at.astimezone(ZoneInfo(zone)).date()
