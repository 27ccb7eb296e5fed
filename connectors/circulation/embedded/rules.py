"""What a library allows: how long, how many, how much. Read from YAML; the first line that fits counts.

defaults: {loan_days: 28, renewals: 3, loans: 40, holds: 20, fees: 200.00}
rules:
  - {category: child, material: "game*", loan_days: 14, renewals: 0}
  - {material: dvd, loan_days: 7, age_from: 15}
  - {category: institution, loans: 500, fees: 0}            # fees: 0 means that nothing may be owed
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic.dataclasses import dataclass

from connectors.circulation.profile import STRICT, Shape, Zone
from include.engine import yamls

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, config=STRICT)
class Limits:
    """What one line may say. None: the line says nothing of it."""

    loan_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    renewals: Count | None = None
    loans: Count | None = None
    holds: Count | None = None
    fees: Annotated[Decimal, Field(ge=0)] | None = None
    age_from: Annotated[int, Field(ge=0, le=120)] | None = None


@dataclass(frozen=True, slots=True, config=STRICT)
class Line(Limits):
    """Limits for some patrons and some materials: globs, case-insensitive."""

    category: str = "*"
    material: str = "*"


_BASE = Limits(loan_days=28, renewals=3, loans=100, holds=50, fees=Decimal(200), age_from=0)


class Rules(Shape):
    """A library's rules. `closed` are days on which nothing falls due; `timezone` is the one in which days end.

    `card_alone`: whether a patron whose PIN is not kept here (an export has none) may borrow by the card alone.
    """

    timezone: Zone = "Europe/Copenhagen"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "DKK"
    defaults: Limits = Limits()
    rules: tuple[Line, ...] = ()
    closed: frozenset[date] = frozenset()
    card_alone: bool = True

    @classmethod
    def load(cls, path: Path) -> Self:
        """Rules of a YAML file. SettingsError says which line cannot be used, and why."""
        return yamls.settings(cls, path, "the rules")

    @cached_property
    def zone(self) -> ZoneInfo:
        """The library's time zone."""
        return ZoneInfo(self.timezone)

    def of(self, category: str, material: str = "") -> Limits:
        """The limits for a patron's category and an item's material; each from the first line that fits and names it."""
        found = self._found.get((category, material))
        if found is None:
            found = self._found[category, material] = self._look(category.casefold(), material.casefold())
        return found

    @cached_property
    def _found(self) -> dict[tuple[str, str], Limits]:
        return {}

    def _look(self, category: str, material: str) -> Limits:
        fitting = [
            line
            for line in self.rules
            if fnmatchcase(category, line.category.casefold()) and fnmatchcase(material, line.material.casefold())
        ]
        values = {}
        for name in (one.name for one in fields(Limits)):
            said = (getattr(source, name) for source in (*fitting, self.defaults, _BASE))
            values[name] = next(value for value in said if value is not None)
        return Limits(**values)

    def due(self, lent: datetime, days: int) -> datetime:
        """The end of the last day of a loan: 23:59 there, moved on past days on which the library is closed."""
        return self._end(lent.astimezone(self.zone).date(), days)

    def _end(self, lent: date, days: int) -> datetime:
        found = self._ends.get((lent, days))
        if found is None:
            found = self._ends[lent, days] = self._look_up_end(lent, days)
            while len(self._ends) > 1000:
                self._ends.pop(next(iter(self._ends)))
        return found

    @cached_property
    def _ends(self) -> dict[tuple[date, int], datetime]:
        return {}

    def _look_up_end(self, lent: date, days: int) -> datetime:
        day = lent + timedelta(days=days)
        while day in self.closed:
            day += timedelta(days=1)
        return datetime.combine(day, time(23, 59), self.zone).astimezone(UTC)

    def today(self, now: datetime) -> date:
        """The library's day at that moment."""
        return now.astimezone(self.zone).date()


def age(born: date, today: date) -> int:
    """Whole years; who was born on 29 February is a year older on 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
