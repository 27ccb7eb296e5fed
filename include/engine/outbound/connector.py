"""What an outbound connector gives the engine: what is due, what it looks like outside, and how the receiver gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, BinaryIO, Literal, Protocol

import pyarrow as pa

from include.engine.credentials import Credentials
from include.engine.crypto.keys import KeyStore
from include.engine.delivery import Delivery
from include.engine.ledger.parts import Part
from include.engine.outbound.lake import View
from include.engine.outbound.settings import OutboundFlow
from include.engine.partner.settings import Partner

RECORD, DIGEST = "_settles", "_digest"
"""Columns beside the contract's own: the name of the record that a row settles (text, unique in a delivery; no person's value), and what
tells two states of it apart (int64; see `include.engine.lake.rows.row_hash`)."""
Outcome = Literal["left", "waits"]
FIGURES = ("created", "updated", "removed")
"""What a receiver says that it did, record by record, as facts of a part (int)."""

LEFT: pa.Schema = pa.schema(
    [
        pa.field(RECORD, pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field(DIGEST, pa.int64()),
    ]
)
"""Records that do not go out, each with a reason code. `left`: for good; `waits`: it is asked again once its digest is another."""


@dataclass(frozen=True)
class Work:
    """One outbound delivery at work, as a connector sees it.

    as_of: the moment of its selection (UTC), `today` that day on the partner's calendar. lake: the partner's rows of the tables that the
    connector reads, at versions that do not move, and what earlier deliveries of this flow settled.
    """

    partner: Partner
    flow: OutboundFlow
    delivery: Delivery
    as_of: datetime
    today: date
    lake: View
    keys: KeyStore
    credentials: Credentials


@dataclass(frozen=True)
class Selected:
    """Some of what is due. `rows`: the contract's columns, RECORD, and DIGEST where it can change; `left` (schema LEFT): what does not go
    out, and why. Each is a record of the delivery: in = rows + left. `warnings` by reason, for the receipt; `unchanged`, for it too, how many
    records the receiver has already as they should be."""

    rows: pa.RecordBatch | None = None
    left: pa.Table | None = None
    warnings: Mapping[str, int] = field(default_factory=dict)
    unchanged: int = 0


class PartFile(Protocol):
    """A part being written: plain bytes in, sealed on disk. `records` and `facts` may be set until it is closed."""

    records: int
    facts: dict[str, Any]

    def write(self, data: bytes, /) -> int:
        """Append bytes."""
        ...


class Parts(Protocol):
    """Takes what leaves the house, part by part, in the order in which it is to be sent."""

    def part(self, name: str, *, binding: bool = True) -> AbstractContextManager[PartFile]:
        """A new part. `binding`: the receiver may act on it as soon as it begins to arrive (all but a file that lies unseen without another)."""
        ...


class Sending(Protocol):
    """How a connector's `send` hands over the parts, so that each goes once, whatever dies in between."""

    @property
    def parts(self) -> Sequence[Part]:
        """All parts in order. One with `done_at` is done; one with `begun_at` alone may have arrived: ask the receiver before it goes again."""
        ...

    def open(self, part: Part) -> AbstractContextManager[BinaryIO]:
        """The part's plain bytes, as they were rendered; the same at each try."""
        ...

    def begin(self, part: Part, uri: str) -> None:
        """Call before its first byte leaves. `uri` says where it goes, and is noted among the copies that an erasure has to name.
        Raises StaleToken: a newer try has taken over, nothing may leave any more."""
        ...

    def note(self, part: Part, **facts: Any) -> None:
        """Keep, between `begin` and `done`, what a later try needs to ask the receiver of this part (the number of its job). StaleToken."""
        ...

    def done(self, part: Part, *, refused: pa.Table | None = None, **facts: Any) -> None:
        """The receiver has it whole. `refused` (SET_ASIDE; `member` is the RECORD): what of it the receiver did not take, record by record.
        Of `facts` the receipt shows those named in FIGURES."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a receiver said of a delivery afterwards. `taken`: True or None where it stands, False where the receiver took nothing of it."""

    code: str
    words: str
    taken: bool | None = None


class Outbound(Protocol):
    """A module with these functions is an outbound connector (connectors/adhl/outbound.py)."""

    def reads(self, work: Work) -> Sequence[str]:
        """The lake's tables that `select` reads; their versions are pinned when it begins."""
        ...

    def contract(self, work: Work) -> str:
        """The contract that what goes out must keep."""
        ...

    def select(self, work: Work) -> Iterator[Selected]:
        """What is due, in batches. Done again, it may find more; it changes nothing."""
        ...

    def render(self, work: Work, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
        """Turn the accepted rows into parts. `rows` may be read any number of times. No rows: no parts, and nothing is sent."""
        ...

    def send(self, work: Work, sending: Sending) -> None:
        """Hand over every part that is not done. Unreachable is tried again; Refused blocks the delivery."""
        ...

    def confirm(self, work: Work, parts: Sequence[Part]) -> Sequence[Answer]:
        """What the receiver has said since; nothing, where it says nothing."""
        ...
