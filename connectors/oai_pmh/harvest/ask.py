"""What a person asks of a harvest: records again by their identifiers, a window again, a comparison now; and how far a repository is covered."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from include.engine.delivery import Delivery
from include.engine.dispatch.start import start
from include.engine.engine import Engine
from include.engine.errors import SettingsError
from include.engine.ledger import windows
from include.engine.ledger.windows import Window

FLOW = "oai_harvest"
_MOST = 10_000


def moment_of(text: str, *, last: bool = False) -> datetime | None:
    """A day or a moment as a person writes it, in UTC where no zone is given; None for nothing. A day is its first second, or its `last`, which is
    what `until` means by it (OAI-PMH 2.0, 2.7.1). SettingsError for what is neither."""
    text = text.strip()
    if not text:
        return None
    try:
        with suppress(ValueError):
            return datetime.combine(date.fromisoformat(text), time(23, 59, 59) if last else time(), UTC)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{text!r} is neither a day nor a moment.", do="Write 2026-11-01, or 2026-11-01T06:00:00Z.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def reload(
    engine: Engine, partner: str, *, identifiers: Sequence[str] = (), begin: datetime | None = None, until: datetime | None = None, who: str
) -> Delivery:
    """Enter a delivery that fetches these records again, or everything that was changed between two moments (either may be open)."""
    if identifiers and (begin or until):
        raise SettingsError("identifiers and a window do not go together.", do="Ask for the one, then for the other.")
    if len(identifiers) > _MOST:
        raise SettingsError(f"more than {_MOST:,} identifiers at once.", do="Ask for a window instead.")
    window = {name: at.isoformat() for name, at in (("from", begin), ("until", until)) if at}
    ask: dict[str, Any] = {"identifiers": list(identifiers)} if identifiers else window or {"from": None}
    return start(engine, partner, FLOW, who=who, facts={"ask": ask})


def compare(engine: Engine, partner: str, *, who: str) -> Delivery:
    """Enter a delivery that compares all identifiers with ours."""
    return start(engine, partner, FLOW, who=who, facts={"moment": "compare"})


@dataclass(frozen=True)
class Coverage:
    """A series: up to when everything is in the lake, what is missing before, and its windows, oldest first."""

    series: str
    until: datetime | None
    gaps: list[tuple[datetime | None, datetime]]
    windows: list[Window]


def coverage(engine: Engine, partner: str) -> list[Coverage]:
    """How far each series of the partner is covered. A window counts once its delivery is published."""
    status = engine.partner(partner).status
    found: dict[str, list[Window]] = {}
    for one in windows.find(engine.ledger, partner, FLOW, status=status):
        found.setdefault(one.series, []).append(one)
    return [
        Coverage(series, windows.covered_until(own := [one for one in some if one.kind != "compare"]), windows.gaps(own), some)
        for series, some in sorted(found.items())
    ]
