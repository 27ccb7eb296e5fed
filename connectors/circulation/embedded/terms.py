"""A library's rules as each loan asks them: looked up once for each patron category and material, and once for each day."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from connectors.circulation.embedded.rules import Limits, Rules

_BASE = Limits(loan_days=28, renewals=3, loans=100, holds=50, fees=Decimal(200), age_from=0)
"""What no line of the rules says."""
_MOST_ENDS = 1000
"""Days of return that are known again: loans of one day end on a few."""
_QUARTER = timedelta(minutes=15)
"""No zone's day begins within one: their offsets are whole quarters of an hour."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class Terms:
    """What `rules` say. `zone` is the one in which days end; for `currency` and `card_alone` see Rules."""

    def __init__(self, rules: Rules) -> None:
        self.zone, self.currency, self.card_alone = ZoneInfo(rules.timezone), rules.currency, rules.card_alone
        self.rules = rules
        self._limits: dict[tuple[str, str], Limits] = {}
        self._ends: dict[tuple[date, int], datetime] = {}
        self._since, self._until, self._today = _NEVER, _NEVER, date.min

    def of(self, category: str, material: str = "") -> Limits:
        """The limits for a patron's category and an item's material; each from the first line that fits and names it."""
        found = self._limits.get((category, material))
        if found is None:
            found = self._limits[category, material] = self._look(category.casefold(), material.casefold())
        return found

    def today(self, now: datetime) -> date:
        """The library's day at that moment."""
        if not self._since <= now < self._until:
            self._since = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
            self._until = self._since + _QUARTER
            self._today = now.astimezone(self.zone).date()
        return self._today

    def due(self, lent: datetime, days: int) -> datetime:
        """The end of the last day of a loan: 23:59 there, moved on past days on which the library is closed."""
        key = self.today(lent), days
        found = self._ends.get(key)
        if found is None:
            found = self._ends[key] = self._end(*key)
            while len(self._ends) > _MOST_ENDS:
                self._ends.pop(next(iter(self._ends)))
        return found

    def _look(self, category: str, material: str) -> Limits:
        fitting = [
            line
            for line in self.rules.rules
            if fnmatchcase(category, line.category.casefold()) and fnmatchcase(material, line.material.casefold())
        ]
        values = {}
        for name in [one.name for one in fields(Limits)]:
            said = [getattr(source, name) for source in (*fitting, self.rules.defaults, _BASE)]
            values[name] = next(value for value in said if value is not None)
        return Limits(**values)

    def _end(self, lent: date, days: int) -> datetime:
        day = lent + timedelta(days=days)
        while day in self.rules.closed:
            day += timedelta(days=1)
        return datetime.combine(day, time(23, 59), self.zone).astimezone(UTC)


def age(born: date, today: date) -> int:
    """Whole years; who was born on 29 February is a year older on 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
