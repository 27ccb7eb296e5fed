"""One record that was set aside, as it is kept: its place, its sentence and the first of its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.inbound.work import landed_of
from include.engine.ledger import quarantined
from include.engine.ledger.quarantined import Quarantined
from include.engine.quarantine import store
from include.engine.storage.archive import members
from include.engine.storage.landing import open_landed

MOST = 1 << 20
"""Bytes of a record that are unsealed to be looked at; one that is longer is shown as far as this."""
HEAD = 1 << 16


@dataclass(frozen=True)
class Looked:
    """`raw`: the first bytes of the record, of `size` in all; None where none were kept. `detail`: the sentence that was written when it was
    set aside, personal values masked. `gone`: why the bytes can no longer be read (retention, erasure), "" while they can."""

    row: Quarantined
    raw: bytes | None
    size: int
    detail: str | None
    gone: str = ""

    @property
    def whole(self) -> bool:
        """Whether `raw` is all of it."""
        return self.raw is not None and len(self.raw) == self.size


def look(engine: Engine, id: int, *, most: int = MOST) -> Looked:
    """The record `id` with at most `most` of its bytes. UnknownDelivery when there is none; bytes that are gone are told, not raised."""
    row = quarantined.get(engine.ledger, id)
    try:
        kept = store.read(engine.home, row.blob_uri, engine.keys, [row.blob_row])
    except BinderyError as error:
        return Looked(row, None, 0, None, error.code)
    raw, detail = kept.column("raw")[0], kept.column("detail")[0].as_py()
    if not raw.is_valid:
        return Looked(row, None, 0, detail)
    buffer = raw.as_buffer()
    return Looked(row, buffer.slice(0, min(most, buffer.size)).to_pybytes(), buffer.size, detail)


def head(engine: Engine, delivery: Delivery, member: str, *, most: int = HEAD) -> bytes | None:
    """The first bytes of the file that a record stood in (its header line); None when they are gone or were never kept as a file."""
    if "landed" not in delivery.facts:
        return None
    try:
        with open_landed(landed_of(delivery), engine.keys, home=engine.home) as raw:
            for found in islice(members(delivery.path or "", raw), 10_000):  # type: ignore[arg-type]
                if found.name == member:
                    return found.stream.read(most)
    except BinderyError:
        return None
    return None
