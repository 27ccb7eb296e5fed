"""What a partner's YAML says of any flow that leaves the house."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from include.engine.partner.settings import Records, ScheduledFlow


class OutboundFlow(ScheduledFlow):
    """A flow that sends what is due, by the partner's clock. A connector extends it in its `settings.py`."""

    records: Records | None = Field(None, description="how many records go out as a rule; outside of it the delivery is held")

    @property
    def looks_back(self) -> timedelta | None:
        """How far back the flow looks at records by their own day; what it settled before that is forgotten. None: everything is looked at."""
        return None
