"""The shape of a partner's YAML: who they are, which flows, how they deliver, when.

A flow's own settings belong to its connector, which extends `FlowSettings` (or `InboxFlow`, `ScheduledFlow`) in its `settings.py`; the
engine knows only what every flow shares. Example: include/partners/lindeby.yaml. Words for time: `when.py`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from include.engine.partner.retention import Retention
from include.engine.partner.size import Size
from include.engine.partner.when import Duration, Schedule

Language = Literal["en", "da", "sv", "nl"]
After = Literal["archive", "leave", "delete"]


class Shape(BaseModel):
    """Settings are read once, never changed, and a name that is not in the schema is a mistake to be told of."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_zones = cache(available_timezones)  # a walk through a thousand files


def _known_zone(value: str) -> str:
    if value not in _zones():
        raise ValueError(f"{value!r} is no IANA time zone: write one such as Europe/Copenhagen")
    return value


def _known_email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ValueError(f"{value!r} is no e-mail address")
    return value


def _range(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+)\s*\.\.\s*(\d+)\s*", value)
        if not match or int(match[1]) > int(match[2]):
            raise ValueError(f"{value!r} is no range: write the least and the most, such as 5000..40000")
        return int(match[1]), int(match[2])
    return value


Zone = Annotated[str, AfterValidator(_known_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Copenhagen"]})]
Email = Annotated[str, AfterValidator(_known_email), WithJsonSchema({"type": "string", "format": "email"})]
Records = Annotated[
    tuple[int, int], BeforeValidator(_range), WithJsonSchema({"type": "string", "pattern": r"^\d+\.\.\d+$", "examples": ["5000..40000"]})
]


class Ready(Shape):
    """When a file in an inbox is whole. Several policies may hold at once: then all must agree."""

    stable_for: Duration | None = Field(None, description="same size and time at two looks at least this far apart")
    done_file: str | None = Field(None, description="a marker beside the file says it is whole, such as '{name}.done'")
    rename_from: str | None = Field(None, description="the partner writes under this suffix, such as '.part', and renames when done")
    overdue_after: Duration = Field(timedelta(hours=1), description="a file that waits longer for its marker is reported")

    @model_validator(mode="after")
    def _some_policy(self) -> Self:
        if self.stable_for is None and self.done_file is None and self.rename_from is None:
            raise ValueError("say when a file is whole: stable_for, done_file or rename_from")
        if self.done_file is not None and "{name}" not in self.done_file:
            raise ValueError("done_file must hold {name}, the name of the file that is done, such as '{name}.done'")
        return self


class DeliverySpec(Shape):
    """What one kind of file in an inbox is. `files` is a glob on the file's name; the first entry that matches is the one that counts."""

    table: str
    files: str
    mode: Literal["full", "delta", "append"] = "full"
    expected: Schedule | None = Field(None, description="by when it comes, on the partner's clock")
    records: Records | None = Field(None, description="how many records it holds as a rule; outside of it the delivery is held")
    ready: Ready | None = Field(None, description="overrides the inbox's own")
    after: After | None = Field(None, description="overrides the inbox's own")


class FlowSettings(Shape):
    """What every flow of a partner has."""

    enabled: bool = True
    after_block: Literal["wait", "continue"] = Field(
        "continue", description="whether later deliveries of a table wait while one is blocked"
    )

    def brings(self, table: str) -> bool:
        """Whether rows of this lake table may be of the flow; one that can tell says so."""
        return True


class ScheduledFlow(FlowSettings):
    """A flow that starts by the clock of the partner. `table` and `mode` are those of its deliveries, empty where it has none of its own."""

    table: ClassVar[str] = ""
    mode: ClassVar[str] = ""
    schedule: Schedule

    def moments(self) -> dict[str, str]:
        """Its schedules by name: one that has others beside `schedule` names them here, and finds the name in the delivery's facts."""
        return {"schedule": self.schedule}

    def idle(self, home: Path) -> bool:
        """Whether there is nothing for it to do now, as far as can be told at a glance into `home`: then the moment passes without a delivery."""
        return False


class PulledFlow(ScheduledFlow):
    """A flow that fetches what it takes in: a harvest, an interface that is asked. One delivery is one fetch."""

    records: Records | None = Field(None, description="how many records a fetch brings as a rule; outside of it the delivery is held")
    receipts: str | None = Field(None, description="URI of a folder for receipts; without it they lie with us alone, and go out by mail")


class InboxFlow(FlowSettings):
    """A flow that starts when a file is whole in a watched inbox."""

    inbox: str = Field(description="URI of the watched folder: file:, sftp://<connection>/path, smb://<connection>/share/path, ftp:, s3:")
    every: Duration = Field(timedelta(minutes=1), description="how often to look")
    ready: Ready = Ready(stable_for=timedelta(seconds=30))
    after: After = Field("archive", description="what becomes of the source once it is acknowledged; 'leave' for a read-only inbox")
    largest: Size = Field(20 * 10**9, description="a file above this is refused before it is read")
    receipts: str | None = Field(None, description="URI of the receipts' folder; by default receipts/ in the inbox")
    deliveries: tuple[SerializeAsAny[DeliverySpec], ...] = Field(min_length=1)

    def ready_for(self, spec: DeliverySpec | None) -> Ready:
        """When a file of that kind is whole: the delivery's own setting, else the inbox's."""
        return (spec.ready if spec else None) or self.ready

    def after_for(self, spec: DeliverySpec | None) -> After:
        """What becomes of a file of that kind: the delivery's own setting, else the inbox's."""
        return (spec.after if spec else None) or self.after


class Contacts(Shape):
    """Who is written to. `deliveries` gets a mail with the receipt of whatever was not taken in whole; `alerts`, whoever keeps the integration
    running, of whatever stands still, once, with a link to the board."""

    deliveries: Email | None = None
    alerts: Email | None = None


class Partner(Shape):
    """A partner as its YAML says; `id` is the file's name. `flows` holds each flow's settings in the shape of its connector."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    name: str
    isil: str | None = Field(None, pattern=r"^[A-Z]{1,4}-[A-Za-z0-9:/-]{1,11}$", description="ISO 15511")
    agency: str | None = Field(None, description="the national library number")
    timezone: Zone
    language: Language = "en"
    status: Literal["test", "live"] = "test"
    contacts: Contacts = Contacts()
    staff: tuple[str, ...] = Field((), description="user names of the library's own staff: on the board they see this partner and no other")
    retention: Retention = Retention()
    flows: dict[str, SerializeAsAny[FlowSettings]] = Field(default_factory=dict)

    @field_validator("flows")
    @classmethod
    def _an_inbox_each(cls, flows: dict[str, FlowSettings]) -> dict[str, FlowSettings]:
        """What one flow waits for would be a stray file to the other, which refuses it and puts it away."""
        watched: dict[str, str] = {}
        for name, flow in flows.items():
            if isinstance(flow, InboxFlow) and flow.enabled:
                other = watched.setdefault(flow.inbox.rstrip("/"), name)
                if other != name:
                    raise ValueError(f"{other} and {name} watch the same inbox, {flow.inbox}: give each flow a folder of its own")
        return flows

    def where(self) -> str:
        """How errors and logs name this partner."""
        return f"partner {self.id}"


def spec_for(flow: InboxFlow, name: str) -> DeliverySpec | None:
    """The first delivery whose glob matches the file's `name` (case-insensitive), or None: a file nobody declared."""
    folded = name.casefold()
    return next((spec for spec in flow.deliveries if fnmatchcase(folded, spec.files.casefold())), None)
