"""Send: each part goes once, and the ledger knows of it before its first byte leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, cast

import pyarrow as pa

from include.engine.crypto.seal import SealedReader
from include.engine.delivery import Counts, Delivery, State, Token
from include.engine.engine import Engine
from include.engine.errors import WrongState
from include.engine.failpoints import point
from include.engine.inbound.ending import ending
from include.engine.inbound.work import Outcome, key_of, nothing_to_do, turn
from include.engine.ledger import claims, copies, parts, quarantined
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import FIGURES, Outbound
from include.engine.outbound.work import REFUSED, work_on
from include.engine.quarantine import store


def send(engine: Engine, delivery_id: str, connector: Outbound) -> Outcome:
    """Hand a rendered delivery over; it ends `published`. A partner in status `test` sends nothing, and notes what it would have been.

    Done again after it died, it goes on after the parts that are done. Raises Unreachable (a retry helps), Refused, StaleToken.
    """
    delivery, token = turn(engine, delivery_id, "send", {State.GATED})
    if token is None:
        return nothing_to_do(delivery)
    point("send.before")
    made = parts.of(engine.ledger, delivery.id)
    if delivery.status == "test":
        would = {"parts": len(made), "bytes": sum(one.size for one in made)}
        claims.note(engine.ledger, token, would_send=would, reason=None, message=None)
        return Outcome(delivery.id, delivery.state, f"status test, nothing is sent; it would have been {would}")
    sending = SendingParts(engine, delivery, token)
    with ending(engine, token, lambda: delivery.counts):
        if made:
            connector.send(work_on(engine, delivery, connector), sending)
        made = parts.of(engine.ledger, delivery.id)
        if left := [one.name for one in made if one.done_at is None]:
            raise WrongState(
                f"the connector left parts behind: {', '.join(left)}.", where=delivery.id, do="That is a fault in it: tell us."
            )
        point("send.sent")
        counts = _with_refused(delivery.counts, made)
        sent = {"parts": len(made), "bytes": sum(one.size for one in made)} | _figures(made)
        published = claims.advance(engine.ledger, token, State.PUBLISHED, counts=counts, sent=sent, reason=None, message=None)
    point("send.recorded")
    return Outcome(
        delivery.id, published.state, f"{len(made)} parts, {counts.published:,} records sent, {counts.quarantined:,} refused or aside"
    )


def _with_refused(counts: Counts, made: Sequence[Part]) -> Counts:
    refused = sum(int(one.facts.get("refused", 0)) for one in made)
    return replace(counts, published=counts.published - refused, quarantined=counts.quarantined + refused)


def _figures(made: Sequence[Part]) -> dict[str, int]:
    """What the receiver says that it did, over all parts; nothing, where it does not say."""
    return {name: sum(int(one.facts.get(name, 0)) for one in made) for name in FIGURES if any(name in one.facts for one in made)}


class SendingParts:
    """See connector.Sending."""

    def __init__(self, engine: Engine, delivery: Delivery, token: Token) -> None:
        self._engine, self._delivery, self._token = engine, delivery, token
        self._key = key_of(engine, delivery)

    @property
    def parts(self) -> Sequence[Part]:
        """All parts in order, as the ledger has them now."""
        return parts.of(self._engine.ledger, self._delivery.id)

    @contextmanager
    def open(self, part: Part) -> Iterator[BinaryIO]:
        """The part's plain bytes."""
        path = self._engine.home / part.path
        with path.open("rb") as raw:
            yield cast(BinaryIO, SealedReader(raw, self._key, context=path.name, where=part.name))

    def begin(self, part: Part, uri: str) -> None:
        """Note that it may leave, and where to; StaleToken when a newer try has taken over."""
        with self._engine.ledger.begin() as tx:
            parts.begin(self._engine.ledger, self._token, part.rank, tx=tx)
            copies.add(self._engine.ledger, self._delivery.id, [uri], tx=tx)
        point("send.begun")

    def note(self, part: Part, **facts: Any) -> None:
        """Add to the part's facts while it is under way."""
        parts.note(self._engine.ledger, self._token, part.rank, **facts)

    def done(self, part: Part, *, refused: pa.Table | None = None, **facts: Any) -> None:
        """Note that the receiver has it, and which of its records it did not take."""
        point("send.part")
        step, count = f"{REFUSED}{part.rank}", 0 if refused is None else refused.num_rows
        uri = ""
        if refused is not None and count:
            uri = store.keep(self._engine.home, self._delivery, self._token.value, refused, self._key, step=step)
        with self._engine.ledger.begin() as tx:
            parts.done(self._engine.ledger, self._token, part.rank, tx=tx, **({"refused": count} if count else {}), **facts)
            quarantined.clear(self._engine.ledger, self._delivery.id, step=step, tx=tx)
            if refused is not None and count:
                quarantined.add(self._engine.ledger, self._delivery.id, refused, uri, step=step, tx=tx)
