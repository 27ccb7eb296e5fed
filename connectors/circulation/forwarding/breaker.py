"""Whether the library system is there: a circuit breaker with half-open probes.

closed -> open after some failures in a row; open -> half open when it is time for a probe; half open -> closed when the probe is answered,
else open again. While it is open no kiosk waits for a time-out: that is what it is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from connectors.circulation.backend import Away, Unread
from connectors.circulation.forwarding.policy import Breaker as Settings


class Breaker:
    """`away_since` is when the library system last answered before it went, None while it is there."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._settings, self._now = settings, now
        self._failures = 0
        self._probe_at: datetime | None = None
        self._done: Counter[str] = Counter()
        self._seen: dict[int, int] = {}
        self.away_since: datetime | None = None

    @property
    def state(self) -> Literal["closed", "open", "half open"]:
        """As it is now."""
        if self._probe_at is None:
            return "closed"
        return "half open" if self._now() >= self._probe_at else "open"

    def failed(self, error: Away | None = None) -> None:
        """It was asked and did not answer. That of one patron something is odd says nothing about the others."""
        if isinstance(error, Unread):
            return
        self._failures += 1
        if self._probe_at is not None or self._failures >= self._settings.failures:
            self.trip()

    def trip(self) -> None:
        """It is away, whatever was counted."""
        self.away_since = self.away_since or self._now()
        self._probe_at = self._now() + timedelta(seconds=self._settings.probe_seconds)

    def done(self, kind: str) -> None:
        """It has made a change of that kind."""
        self._done[kind] += 1

    def alone(self, number: int, kind: str) -> bool:
        """Transaction `number` has failed again: whether others of its kind were done since it failed last."""
        before, self._seen[number] = self._seen.get(number), self._done[kind]
        return before is not None and before != self._done[kind]

    def over(self, number: int) -> None:
        """The transaction waits no more."""
        self._seen.pop(number, None)

    def answered(self) -> None:
        """It answered."""
        self._failures, self._probe_at, self.away_since = 0, None, None
