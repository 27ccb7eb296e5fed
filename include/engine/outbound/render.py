"""Render and seal: the accepted rows become the parts that leave the house, each sealed on disk with the delivery's own key."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.engine.crypto.keys import DataKey
from include.engine.crypto.seal import SealedWriter
from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.failpoints import point
from include.engine.inbound.ending import ending
from include.engine.inbound.work import Outcome, key_of, nothing_to_do, staging
from include.engine.ledger import claims, deliveries, parts
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import Outbound, PartFile
from include.engine.outbound.work import accepted, anything, work_on


def render(engine: Engine, delivery_id: str, connector: Outbound) -> Outcome:
    """Make the parts of a staged delivery; it ends `gated`. Nothing of it leaves. Cleared before anything left, it is done again with
    today's settings and keys; after that, the parts stay as they are."""
    delivery = deliveries.get(engine.ledger, delivery_id)
    if delivery.state not in {State.STAGED, State.GATED}:
        return nothing_to_do(delivery)
    token = claims.take(engine.ledger, delivery.id, "render")
    point("render.claimed")
    if parts.fixed(engine.ledger, delivery.id):
        return _as_it_was(engine, delivery, token)
    folder = staging(engine, delivery, token.value)
    made = _Parts(engine.home, folder, key_of(engine, delivery), delivery.id)
    with ending(engine, token, lambda: delivery.counts):
        work = work_on(engine, delivery, connector)
        if anything(engine, delivery):
            connector.render(work, lambda: accepted(engine, delivery), made)
        point("render.written")
        with engine.ledger.begin() as tx:
            parts.put(engine.ledger, token, made.parts, tx=tx)
            gated_uri = str(folder.relative_to(engine.home))
            gated = claims.advance(engine.ledger, token, State.GATED, tx=tx, gated_uri=gated_uri, reason=None, message=None)
    point("render.recorded")
    size = sum(part.size for part in made.parts)
    return Outcome(delivery.id, gated.state, f"{len(made.parts)} parts, {size:,} bytes")


def _as_it_was(engine: Engine, delivery: Delivery, token: Token) -> Outcome:
    """Part of it may have left: it goes on as it is."""
    if delivery.state == State.STAGED:
        folder = Path(parts.of(engine.ledger, delivery.id)[0].path).parent
        delivery = claims.advance(engine.ledger, token, State.GATED, gated_uri=str(folder), reason=None, message=None)
    return Outcome(delivery.id, delivery.state, "part of it may have left: it goes on as it was rendered")


class _Parts:
    """See connector.Parts."""

    def __init__(self, home: Path, folder: Path, key: DataKey, delivery_id: str) -> None:
        self._home, self._folder, self._key, self._delivery = home, folder, key, delivery_id
        self.parts: list[Part] = []

    @contextmanager
    def part(self, name: str, *, binding: bool = True) -> Iterator[PartFile]:
        """A new part; on disk it is whole, sealed and durable once the block is left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        rank = len(self.parts)
        path = self._folder / f"{rank:05d}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)[-100:]}.sealed"
        with path.open("wb") as raw:
            with SealedWriter(raw, self._key, context=path.name) as sealed:
                file = _PartFile(sealed)
                yield file
            raw.flush()
            os.fsync(raw.fileno())
        where, digest = str(path.relative_to(self._home)), file.digest.hexdigest()
        self.parts.append(Part(self._delivery, rank, name, binding, where, file.size, digest, file.records, facts=file.facts))
        point("render.part")


class _PartFile:
    """See connector.PartFile."""

    def __init__(self, sealed: SealedWriter) -> None:
        self._sealed = sealed
        self.digest, self.size, self.records = hashlib.sha256(), 0, 0
        self.facts: dict[str, Any] = {}

    def write(self, data: bytes, /) -> int:
        """Append bytes."""
        self.digest.update(data)
        self.size += len(data)
        return self._sealed.write(data)
