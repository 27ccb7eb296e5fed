"""What a partner's YAML says of the flows `circulation_journal` and `circulation_fill`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from connectors.circulation.journal.marker import nothing_new
from include.engine.outbound.settings import OutboundFlow
from include.engine.partner.settings import FlowSettings, PulledFlow
from include.engine.partner.when import Duration

FOLDER = r"^[A-Za-z0-9_-]+$"
"""A sidecar's folder in Bindery's home. Libraries with a sidecar each have a folder each."""


class CirculationJournal(PulledFlow):
    """The journal of a library's sidecar, read into the lake. It waits for nothing and nobody: a blocked one holds up no other."""

    table: ClassVar[str] = "loan"
    mode: ClassVar[str] = "delta"

    folder: str = Field("circulation", pattern=FOLDER, description="the sidecar's folder in Bindery's home")
    wait: Duration = Field(
        timedelta(minutes=2), description="how old an entry is before it is read: what is undone at once is not told at all"
    )

    def idle(self, home: Path) -> bool:
        """Whether the journal is as it was when all of it was in the lake."""
        return nothing_new(home / self.folder / "journal")


class CirculationFill(OutboundFlow):
    """The store of a library's sidecar, filled out of the lake."""

    folder: str = Field("circulation", pattern=FOLDER, description="the sidecar's folder in Bindery's home")
    takes: Duration = Field(
        timedelta(hours=1), description="how long before a file was written the library system may have read what is in it"
    )
    patience: Duration = Field(
        timedelta(seconds=30), description="how long the sidecar is waited for; one that is stopped takes it at its start"
    )


FLOWS: dict[str, type[FlowSettings]] = {"circulation_journal": CirculationJournal, "circulation_fill": CirculationFill}
