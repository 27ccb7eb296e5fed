"""What a partner's YAML says of the flows around its CRM: what comes back from it, the file for the library system, the file for the mailings."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from connectors.crm.sync_settings import FLOWS as SYNC
from connectors.crm.sync_settings import Kind
from include.engine.contract.loading import load
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

    @classmethod
    def offered(cls) -> list[str]:
        """Our columns, in the order of a file without `columns`: each flow has its own."""
        return []

    @model_validator(mode="after")
    def _columns_are_ours(self) -> Self:
        _known(set(self.columns.values()), self.offered())
        return self

    @property
    def separator(self) -> str:
        """The character itself."""
        return "\t" if self.delimiter == "tab" else self.delimiter


class CrmIlsUpdate(FileFlow):
    """What was proposed and is to be applied, as a file that the library system imports."""

    @classmethod
    def offered(cls) -> list[str]:
        """Whose it is, and what may change."""
        return ["patron_id", "email", "phone", "consent"]


class Segment(Shape):
    """Who belongs to a segment: all that is said must hold."""

    category: tuple[str, ...] = ()
    home_library: tuple[str, ...] = ()
    born: Records | None = Field(None, description="years, such as 1990..2005")


class CrmMailing(FileFlow):
    """Everybody who has agreed to be written to, with an e-mail address and segments, for a mailing system."""

    segments: dict[str, Segment] = Field(default_factory=dict)

    @classmethod
    def offered(cls) -> list[str]:
        """The contract's columns, without those that are for its rules."""
        return [name for name in load("crm_mailing").names if name not in {"consent", "protected", "minor", "birth_year"}]


class ActivityDelivery(DeliverySpec):
    """One kind of list."""

    table: Literal["crm_activity", "crm_prospect"]


class CrmActivities(InboxFlow):
    """Lists that the library keeps of visits, complaints, lectures, newsletters and prospects."""

    deliveries: tuple[ActivityDelivery, ...] = Field(min_length=1)
    columns: dict[str, str] = Field(default_factory=dict, description="our column: theirs, where they differ")
    kinds: dict[str, Kind] = Field(default_factory=dict, description="{their word: task, case or campaign_member}")
    delimiter: Literal[",", ";", "tab"] = ";"

    @model_validator(mode="after")
    def _columns_are_of_the_lists(self) -> Self:
        _known(set(self.columns), [name for one in self.deliveries for name in load(f"{one.table}_incoming").names])
        return self

    @property
    def separator(self) -> str:
        """The character itself."""
        return "\t" if self.delimiter == "tab" else self.delimiter


def _known(named: set[str], ours: list[str]) -> None:
    if unknown := sorted(named - set(ours)):
        raise ValueError(f"{', '.join(unknown)}: no column of ours; there are {', '.join(dict.fromkeys(ours))}")


FLOWS: dict[str, type[FlowSettings]] = {
    **SYNC,
    "crm_proposals": CrmProposals,
    "crm_ils_update": CrmIlsUpdate,
    "crm_mailing": CrmMailing,
    "crm_activities": CrmActivities,
}
