"""What stands in the JSON of a library system: objects, moments, amounts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Json = dict[str, Any]


def moment(text: str) -> datetime:
    """A date-time of ISO 8601, in UTC. The offset may be written +0000, as FOLIO does."""
    return datetime.fromisoformat(text).astimezone(UTC)


def money(amount: float | str) -> Decimal:
    """An amount; JSON has it as a float."""
    return Decimal(str(amount)).quantize(Decimal("0.01"))
