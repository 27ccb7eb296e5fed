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

from connectors.circulation.profile import Shape
from connectors.circulation.remote.settings import RemoteSettings


class Interlending(Shape):
    """What another library's copy becomes (NCIP's AcceptItem), by the UUIDs of the tenant's own settings; mod-ncip wants the same ones."""

    instance_type: str
    holdings_source: str
    location: str
    material_type: str = Field(description="its own for these items: what is of another material is not let go by DeleteItem")
    loan_type: str
    check_in: bool = Field(False, description="it is checked in where it comes, and waits for its patron at once; else staff do that")


class FolioSettings(RemoteSettings):
    """`override`: blocks that are overridden for what a machine did while it was alone; the system user needs the permissions for it.

    `promised`: the day that a patron was told while FOLIO was away becomes the loan's (change-due-date); otherwise FOLIO's own stays.
    `pin`: patrons' PINs (POST /patron-pin/verify), or none are checked. `cancellation` is the UUID of the reason for a cancelled request.
    """

    tenant: Annotated[str, Field(min_length=1)]
    locations: dict[str, str] = Field(default_factory=dict)
    pin: Literal["patron-pin", "none"] = "patron-pin"
    override: frozenset[Literal["patronBlock", "itemLimitBlock", "itemNotLoanableBlock"]] = frozenset(
        {"patronBlock", "itemLimitBlock", "itemNotLoanableBlock"}
    )
    promised: bool = False
    interlending: Interlending | None = Field(None, description="without it, other libraries' copies are neither taken in nor let go")
    address_type: str = Field("", description="the UUID of the kind of address that a new patron's is; without it none is kept")
    payment_method: str = "Self-service"
    cancellation: str = "75187e8d-e25a-47a7-89ad-23ba612338de"
    loan_days: Annotated[int, Field(ge=1, le=365)] = Field(
        28, description="the loan of an item that is not for loan and went out all the same"
    )

    def place(self, location: str | None) -> str:
        """Our branch of a location of FOLIO's."""
        return self.locations.get(location or "", location or "")
