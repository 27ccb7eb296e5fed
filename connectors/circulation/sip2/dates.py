"""SIP2's eighteen characters of date, zone and time, and its numbers of languages.

Source: SIP2 2.00, "Fixed-length field definitions": date YYYYMMDD, four characters of zone, HHMMSS. Blanks are local time, `Z` after three
blanks is UTC; American zone names (`EST5`) are in no Nordic or Dutch machine and are read as local time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from connectors.circulation.words import Language

LANGUAGES: dict[str, Language] = {"001": "en", "024": "en", "005": "nl", "026": "nl", "006": "sv", "009": "da"}
NUMBERS: dict[Language, str] = {"en": "001", "nl": "005", "sv": "006", "da": "009"}


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """The moment, aware and in UTC; None when there is none that can be read."""
    try:
        found = datetime.strptime(text[:8] + text[12:18], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return found.replace(tzinfo=UTC if text[8:12].strip() == "Z" else zone).astimezone(UTC)


def stamp(when: datetime, zone: ZoneInfo) -> str:
    """A moment as local time."""
    local = when.astimezone(zone)
    return f"{local:%Y%m%d}    {local:%H%M%S}"
