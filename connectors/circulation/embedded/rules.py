"""What a library allows: how long, how many, how much. Read from YAML; the first line that fits counts.

defaults: {loan_days: 28, renewals: 3, loans: 40, holds: 20, fees: 200.00}
rules:
  - {category: child, material: "game*", loan_days: 14, renewals: 0}
  - {material: dvd, loan_days: 7, age_from: 15}
  - {category: institution, loans: 500, fees: 0}            # fees: 0 means that nothing may be owed
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

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


class Rules(Shape):
    """A library's rules, as they are written; terms.py says what they come to. `closed` are days on which nothing falls due, and `timezone` is
    the one in which days end.

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
