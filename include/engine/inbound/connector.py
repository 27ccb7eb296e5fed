"""What an inbound connector gives the engine: how its bytes are read, and how its rows are bound to the lake's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import pyarrow as pa
import pyarrow.dataset as ds

from include.engine.delivery import Delivery
from include.engine.lake.plan import Mode
from include.engine.partner.settings import DeliverySpec, InboxFlow, Partner, PulledFlow
from include.engine.privacy.pseudonym import Pseudonyms
from include.engine.storage.archive import Member


@dataclass(frozen=True)
class Work:
    """One delivery at work, as a connector sees it.

    members: the unpacked source, from its start, each time it is called.
    lookup(table, columns): the partner's rows of a lake table, an empty table where there is none yet; `find` only those that an expression is
    true of.
    today: the day of receipt on the partner's calendar.
    """

    partner: Partner
    flow: InboxFlow | PulledFlow
    spec: DeliverySpec
    delivery: Delivery
    today: date
    pseudonyms: Pseudonyms
    members: Callable[[], Iterator[Member]]
    lookup: Callable[[str, list[str]], pa.Table]
    find: Callable[[str, list[str], ds.Expression], pa.Table]


@dataclass(frozen=True)
class Read:
    """Some of what a reader made of the source: rows of one table with their source columns, and what it could not read.

    `set_aside` (schema SET_ASIDE, with `raw`) and `filtered` (source records left out on purpose, by reason) count source records.
    `warnings` count what was taken in, but is worth a word, by reason. `known` are rows of the table, with its source columns, for those of
    the records set aside whose key can be told all the same; only the key in them is used, and all else may be null.
    """

    table: str
    rows: pa.RecordBatch | None = None
    set_aside: pa.Table | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    known: pa.RecordBatch | None = None


@dataclass(frozen=True)
class Bound:
    """Rows of one lake table, with the source columns of the row each was made of, and what was worth a word on the way, by reason."""

    table: str
    rows: pa.Table
    warnings: Mapping[str, int] = field(default_factory=dict)


Binder = Callable[[str, pa.RecordBatch], Iterable[Bound]]
"""The lake's rows made of rows that came in as a table and passed its gate. It is also asked for the lake's keys of rows that were set aside:
by a binder of their own, with rows that hold nothing but their key."""


class Inbound(Protocol):
    """A module with these functions is an inbound connector (connectors/ils/inbound.py)."""

    def read(self, work: Work) -> Iterator[Read]:
        """Read the delivery's bytes. What cannot be read is set aside; Refused when nothing of it can be taken in."""
        ...

    def incoming(self, table: str) -> str:
        """The contract that the rows of `table` must keep when they come in."""
        ...

    def binder(self, work: Work) -> Binder:
        """What binds this delivery, batch by batch: it may remember what earlier batches brought."""
        ...

    def mode(self, delivery: Delivery, table: str) -> Mode:
        """How the lake takes rows of `table` from this delivery: whether what a full export lacks is deleted."""
        ...
