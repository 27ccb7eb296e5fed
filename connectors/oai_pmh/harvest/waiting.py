"""When a repository is asked again: what its answer says of waiting, and what we add by ourselves."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.oai_pmh.settings import Polite

RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may do better (RFC 9110, RFC 6585)."""
_SLICE = 5.0  # seconds: how often a long wait says that somebody is still there


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date (RFC 9110, 10.2.3) by the server's own clock where it tells it; None without."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    at = _date(value)
    if at is None:
        return None
    return max(0.0, (at - (_date(headers.get("Date", "")) or datetime.now(UTC))).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@dataclass
class Waiting:
    """Waits between requests and after failures. `alive` is called at least every few seconds of a wait: it keeps a lease, or raises."""

    polite: Polite
    alive: Callable[[], None] = lambda: None
    sleep: Callable[[float], None] = time.sleep
    _last: float = float("-inf")

    def turn(self) -> None:
        """Until the next request may begin."""
        self.alive()
        self.rest(self.polite.pause.total_seconds() - (time.monotonic() - self._last))
        self._last = time.monotonic()

    def before_attempt(self, number: int) -> float:
        """Seconds to wait before attempt `number` (from 2), where nobody said how long: doubled each time, a tenth of it by chance."""
        wait = self.polite.first_wait.total_seconds() * 2 ** (number - 2)
        return float(min(wait, 60.0) * random.uniform(0.9, 1.1))  # noqa: S311  (no secret)

    def rest(self, seconds: float) -> None:
        """Sleep, with a word from time to time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.sleep(min(left, _SLICE))
            self.alive()
