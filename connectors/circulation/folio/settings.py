"""FOLIO's part of ils.yaml.

folio:
  url: https://okapi.folio.example.org
  tenant: diku
  connection: folio_api                 # the system user's name and password
  branches: {main: 3a40852d-49fd-4df2-a1f9-6e2641a6e91f}      # our branch to the service point's UUID
  locations: {"Main Library": main}     # FOLIO's location to our branch
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectors.circulation.remote.settings import RemoteSettings


class FolioSettings(RemoteSettings):
    """`override`: blocks that are overridden for what a machine did while it was alone; the system user needs the permissions for it.

    `pin`: patrons' PINs (POST /patron-pin/verify), or none are checked. `cancellation` is the UUID of the reason for a cancelled request.
    """

    tenant: Annotated[str, Field(min_length=1)]
    locations: dict[str, str] = Field(default_factory=dict)
    pin: Literal["patron-pin", "none"] = "patron-pin"
    override: frozenset[Literal["patronBlock", "itemLimitBlock", "itemNotLoanableBlock"]] = frozenset(
        {"patronBlock", "itemLimitBlock", "itemNotLoanableBlock"}
    )
    payment_method: str = "Self-service"
    cancellation: str = "75187e8d-e25a-47a7-89ad-23ba612338de"
    loan_days: Annotated[int, Field(ge=1, le=365)] = Field(
        28, description="the loan of an item that is not for loan and went out all the same"
    )

    def place(self, location: str | None) -> str:
        """Our branch of a location of FOLIO's."""
        return self.locations.get(location or "", location or "")
