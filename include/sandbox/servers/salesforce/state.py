"""What the stand-in remembers while it runs; a test looks at it and sets its faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from include.sandbox.servers.salesforce.faults import FAULTS
from include.sandbox.servers.salesforce.ingest import Ingest
from include.sandbox.servers.salesforce.login import Doorkeeper
from include.sandbox.servers.salesforce.org import Org
from include.sandbox.servers.switches import Switches


@dataclass
class State:
    """`calls` are those inside a session (logins are in `door.logins`); `daily` calls a day, `page_rows` rows a page of results."""

    address: str = ""
    org: Org = field(default_factory=Org)
    faults: Switches = field(default_factory=lambda: Switches(FAULTS))
    door: Doorkeeper = field(default_factory=Doorkeeper)
    calls: list[tuple[str, str]] = field(default_factory=list)
    used: int = 0
    daily: int = 15_000
    page_rows: int = 50_000
    query_jobs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answered: Callable[[], None] | None = None
    """Called when a call is done and its answer not yet sent: a moment at which its caller may die."""
    cursors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ingest = Ingest(self.org, self.faults)

    def reset(self) -> None:
        """As it was when it started, but for its address and who may come in."""
        self.__init__(address=self.address, door=self.door)  # type: ignore[misc]
        self.door.sessions.clear()
        self.door.logins.clear()
