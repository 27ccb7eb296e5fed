"""What a partner's YAML says of the flow `circulation_journal`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from connectors.circulation.journal.marker import nothing_new
from include.engine.partner.settings import FlowSettings, PulledFlow
from include.engine.partner.when import Duration


class CirculationJournal(PulledFlow):
    """The journal of a library's sidecar, read into the lake. It waits for nothing and nobody: a blocked one holds up no other."""

    table: ClassVar[str] = "loan"
    mode: ClassVar[str] = "delta"

    folder: str = Field("circulation", pattern=r"^[A-Za-z0-9_-]+$", description="the sidecar's folder in Bindery's home")
    wait: Duration = Field(
        timedelta(minutes=2), description="how old an entry is before it is read: what is undone at once is not told at all"
    )

    def idle(self, home: Path) -> bool:
        """Whether the journal is as it was when all of it was in the lake."""
        return nothing_new(home / self.folder / "journal")


FLOWS: dict[str, type[FlowSettings]] = {"circulation_journal": CirculationJournal}
