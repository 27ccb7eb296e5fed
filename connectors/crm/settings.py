"""What a partner's YAML says of the flows around its CRM: what comes back from it, the file for the library system, the file for the mailings."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from connectors.crm.sync_settings import FLOWS as SYNC
from connectors.crm.sync_settings import Kind
from include.engine.outbound.settings import OutboundFlow
from include.engine.partner.settings import DeliverySpec, FlowSettings, InboxFlow, PulledFlow, Records, Shape
from include.engine.partner.when import Duration

Proposable = Literal["email", "phone", "consent"]


class Proposed(Shape):
    """One field that people may change in the CRM, and whose word counts when it differs from the register's."""

    field: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="their field; by default the one that crm_sync fills")
    values: dict[str, bool | str] = Field(default_factory=dict, description="{theirs: ours}, such as {'true': false} for an opt-out")
    wins: Literal["crm", "ils", "ask"] = Field(
        "ask", description="crm: it is applied; ils: it is noted and not applied; ask: a person decides"
    )


class CrmProposals(PulledFlow):
    """What was changed in the CRM, read back as proposals. Connection, object and key are those of the partner's crm_sync."""

    table: ClassVar[str] = "crm_proposal"
    mode: ClassVar[str] = "delta"

    fields: dict[Proposable, Proposed] = Field(min_length=1)
    overlap: Duration = Field(timedelta(minutes=10), description="how far a look reaches back into the one before")


class FileFlow(OutboundFlow):
    """A CSV file that is put into a folder of the partner's."""

    outbox: str = Field(description="URI of the folder: sftp://<connection>/path, smb:, ftp:, s3: or file:")
    columns: dict[str, str] = Field(
        default_factory=dict, description="their column: ours, in the order of the file; by default all of ours"
    )
    delimiter: Literal[",", ";", "tab"] = ";"
    bom: bool = Field(False, description="begin with a byte order mark, which Excel asks for")

    @property
    def separator(self) -> str:
        """The character itself."""
        return "\t" if self.delimiter == "tab" else self.delimiter


class CrmIlsUpdate(FileFlow):
    """What was proposed and is to be applied, as a file that the library system imports."""


class Segment(Shape):
    """Who belongs to a segment: all that is said must hold."""

    category: tuple[str, ...] = ()
    home_library: tuple[str, ...] = ()
    born: Records | None = Field(None, description="years, such as 1990..2005")


class CrmMailing(FileFlow):
    """Everybody who has agreed to be written to, with an e-mail address and segments, for a mailing system."""

    segments: dict[str, Segment] = Field(default_factory=dict)


class ActivityDelivery(DeliverySpec):
    """One kind of list."""

    table: Literal["crm_activity", "crm_prospect"]


class CrmActivities(InboxFlow):
    """Lists that the library keeps of visits, complaints, lectures, newsletters and prospects."""

    deliveries: tuple[ActivityDelivery, ...] = Field(min_length=1)
    columns: dict[str, str] = Field(default_factory=dict, description="our column: theirs, where they differ")
    kinds: dict[str, Kind] = Field(default_factory=dict, description="{their word: task, case or campaign_member}")
    delimiter: Literal[",", ";", "tab"] = ";"

    @property
    def separator(self) -> str:
        """The character itself."""
        return "\t" if self.delimiter == "tab" else self.delimiter


FLOWS: dict[str, type[FlowSettings]] = {
    **SYNC,
    "crm_proposals": CrmProposals,
    "crm_ils_update": CrmIlsUpdate,
    "crm_mailing": CrmMailing,
    "crm_activities": CrmActivities,
}
