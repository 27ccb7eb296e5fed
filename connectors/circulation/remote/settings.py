"""What every library system behind REST must be told: where it is, how we log in, whose branches are whose, and what rules it does not tell."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from connectors.circulation.profile import Shape, Zone
from connectors.circulation.remote.http import CALL_SECONDS, CONNECTIONS, MESSAGE_SECONDS

Seconds = Annotated[float, Field(gt=0, le=60)]


class Limits(Shape):
    """What a kiosk shows of the rules; the library system decides. None: it is not shown."""

    loans: Annotated[int, Field(ge=0)] | None = None
    holds: Annotated[int, Field(ge=0)] | None = None
    fees: Annotated[Decimal, Field(ge=0)] | None = None


class RemoteSettings(Shape):
    """`connection` names the Airflow connection with login and password. `branches`: our branch (terminals.yaml) to the system's own code."""

    url: Annotated[str, Field(pattern=r"^https?://[^/]+")]
    connection: str
    branches: dict[str, str] = Field(default_factory=dict)
    timezone: Zone = "Europe/Copenhagen"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "DKK"
    limits: Limits = Limits()
    call_seconds: Seconds = CALL_SECONDS
    message_seconds: Seconds = MESSAGE_SECONDS
    connections: Annotated[int, Field(ge=1, le=200)] = CONNECTIONS
    patron_seconds: Annotated[float, Field(ge=0, le=60)] = Field(5.0, description="how long a patron is not asked for again")
    pin_seconds: Annotated[float, Field(ge=0, le=600)] = Field(60.0, description="how long a right PIN is not asked for again")

    def theirs(self, branch: str) -> str:
        """The system's code of one of our branches."""
        return self.branches.get(branch, branch)

    def ours(self, code: str | None) -> str:
        """Our branch of one of the system's codes."""
        return self._ours.get(code or "", code or "")

    @cached_property
    def zone(self) -> ZoneInfo:
        """The library's time zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def _ours(self) -> dict[str, str]:
        return {code: branch for branch, code in self.branches.items()}
