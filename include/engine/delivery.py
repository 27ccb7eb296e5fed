"""The delivery: one thing that moves through a flow, the states of its life, and the counts that must always balance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class State(StrEnum):
    """Where a delivery is in its life. The values are those of the ledger, the YAML and the pages."""

    SEEN = "seen"
    CLAIMED = "claimed"
    STAGED = "staged"
    GATED = "gated"
    PUBLISHED = "published"
    ACKNOWLEDGED = "acknowledged"
    DUPLICATE = "duplicate"
    BLOCKED = "blocked"
    HELD = "held"
    FAILED = "failed"
    RETRACTED = "retracted"


_STOPS = frozenset({State.BLOCKED, State.HELD, State.FAILED})

# A task that is cleared before publish is done again, so staged and gated may be reached again from where the delivery is.
# From blocked, held and failed the only way is back to claimed, through `ledger.claims.reopen`, which keeps the order of the table.
TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.SEEN: frozenset({State.CLAIMED}),
        State.CLAIMED: frozenset({State.STAGED, State.DUPLICATE}) | _STOPS,
        State.STAGED: frozenset({State.STAGED, State.GATED, State.DUPLICATE}) | _STOPS,
        State.GATED: frozenset({State.STAGED, State.GATED, State.PUBLISHED, State.ACKNOWLEDGED}) | _STOPS,
        State.PUBLISHED: frozenset({State.ACKNOWLEDGED, State.RETRACTED}),
        State.ACKNOWLEDGED: frozenset({State.RETRACTED}),
        State.DUPLICATE: frozenset(),
        State.BLOCKED: frozenset({State.CLAIMED}),
        State.HELD: frozenset({State.CLAIMED}),
        State.FAILED: frozenset({State.CLAIMED}),
        State.RETRACTED: frozenset(),
    }
)
"""Which state may follow which. Gated -> acknowledged is for deliveries in status `test` alone, which are never published."""

IN_FLIGHT = frozenset({State.CLAIMED, State.STAGED, State.GATED, State.PUBLISHED})
"""At most one delivery of a (partner, table) is in these states."""

FINISHED = frozenset(State) - IN_FLIGHT - {State.SEEN}
"""States in which nothing goes on by itself any more."""


@dataclass(frozen=True)
class Counts:
    """What became of a delivery, in source records (the first five), and of the rows of its tables (the others)."""

    in_: int = 0
    published: int = 0
    quarantined: int = 0
    filtered: int = 0
    held: int = 0
    added: int = 0
    changed: int = 0
    deleted: int = 0
    unchanged: int = 0
    placeholders: int = 0
    warnings: int = 0

    def balanced(self) -> bool:
        """True when every source record is accounted for: in = published + quarantined + filtered + held."""
        return self.in_ == self.published + self.quarantined + self.filtered + self.held

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@dataclass(frozen=True)
class NewDelivery:
    """What dispatch (or a person) knows of a delivery when it is first seen. `id` is from `delivery_id`, `seen_at` is aware.

    `table` may be empty for a flow that has none of its own, such as an upload; the flow then takes its place in the queue.
    `origin` is the delivery this one does again (replay, approval), `origin_filter` which of its records: `{"record": 1203}` or
    `{"reason": "LOAN_IN_FUTURE"}`; None is all of it.
    """

    id: str
    partner: str
    flow: str
    table: str
    seen_at: datetime
    mode: str = ""
    status: str = "live"
    source_uri: str | None = None
    path: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
    origin: str | None = None
    origin_filter: Mapping[str, Any] | None = None
    after_block: str = "wait"
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """A delivery as the ledger has it. All times are aware, in UTC; sizes are bytes; `contract` maps a contract's name to its version.

    `arrival` numbers all deliveries in the order in which the ledger got them. `root` is the first delivery of a chain of replays (its
    own id where there is no origin). `token` is the newest try's fencing token.
    """

    id: str
    arrival: int
    partner: str
    flow: str
    table: str
    mode: str
    state: State
    status: str
    source_uri: str | None
    path: str | None
    size: int | None
    mtime_ns: int | None
    content_hash: str | None
    origin: str | None
    origin_filter: Mapping[str, Any] | None
    root: str
    after_block: str
    token: int
    tries: int
    staged_uri: str | None
    gated_uri: str | None
    contract: Mapping[str, str]
    counts: Counts
    reason: str | None
    message: str | None
    facts: Mapping[str, Any]
    seen_at: datetime
    claimed_at: datetime | None
    published_at: datetime | None
    finished_at: datetime | None
    touched_at: datetime
    dismissed_at: datetime | None
    dismissed_by: str | None

    @property
    def lane(self) -> str:
        """The name of the queue this delivery stands in with others of its partner: its table, or its flow where it has no table."""
        return self.table or self.flow


@dataclass(frozen=True)
class Token:
    """One try's right to change one delivery. A newer try's token makes it stale."""

    delivery_id: str
    value: int
    step: str


def delivery_id(partner: str, table: str, at: datetime, path: str, size: int, mtime_ns: int, salt: str = "") -> str:
    """A delivery's id, which is also its run's id in Airflow: `aarhus__loan__20261121T0300__3fa9c2d1`.

    `table` is the table or the flow; `at` is aware and is written in UTC, to the minute; the suffix is of what dispatch knows of the
    file. `salt` tells apart what that cannot (two uploads in a minute, a second replay).
    """
    if at.tzinfo is None:
        raise ValueError("a delivery's time must be aware")
    known = json.dumps([partner, table, path, size, mtime_ns, salt]).encode()  # ASCII: a name that is not valid text is escaped too
    return f"{partner}__{table}__{at.astimezone(UTC):%Y%m%dT%H%M}__{hashlib.sha256(known).hexdigest()[:8]}"
