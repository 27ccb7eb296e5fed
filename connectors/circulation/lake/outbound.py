"""`circulation_fill` as the engine's outbound steps see it: the sidecar's store out of the lake, whole, as one sealed file in the sidecar's folder.

The sidecar makes a new store of it beside the one in use and changes over (connectors/circulation/embedded/filling.py). What kiosks have done
since the lake was read comes out of the journal: the file says up to which entry the lake has it. docs/decisions/filling-the-store.md
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from connectors.circulation.embedded.fillfile import PURPOSE, SUFFIX, answer_of, context_of, fills
from connectors.circulation.journal.reading import identity
from connectors.circulation.lake.belonging import claim
from connectors.circulation.lake.position import as_of
from connectors.circulation.settings import CirculationFill
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.crypto.seal import SealedWriter
from include.engine.delivery import State
from include.engine.ledger import deliveries
from include.engine.ledger.parts import Part
from include.engine.outbound.connector import RECORD, Answer, Parts, Selected, Sending, Work
from include.engine.storage.uri import Location

CONTRACT = "circulation_fill"
TABLES = ("patron_identity", "item", "bibliographic", "loan", "hold", "fee")
_SQL = (Path(__file__).parent / "fill.sql").read_text(encoding="utf-8")
_NAME = "store.arrows"
_KINDS = {"patron": "patron", "item": "item", "hold": "hold", "fee": "fee"}


def reads(work: Work) -> Sequence[str]:
    """Identities: the contract names itself as reading them."""
    return TABLES


def contract(work: Work) -> str:
    """A row of any of the store's tables."""
    return CONTRACT


def select(work: Work) -> Iterator[Selected]:
    """The whole store as the lake has it: it is no matter what went before."""
    schema = arrow_schema(load(CONTRACT))
    with work.lake.connect() as connection:
        for batch in connection.execute(_SQL, {"zone": work.partner.timezone}).to_arrow_reader(50_000):
            rows = pa.RecordBatch.from_arrays([batch.column(field.name).cast(field.type) for field in schema], schema=schema)
            yield Selected(rows.append_column(RECORD, batch.column("record").cast(pa.string())))


def render(work: Work, rows: Callable[[], pa.RecordBatchReader], parts: Parts) -> None:
    """An Arrow stream; its schema says where in the journal the lake is, and when the library system told of what."""
    reader = rows()
    schema = arrow_schema(load(CONTRACT)).with_metadata({b"fill": json.dumps(_about(work)).encode()})
    with parts.part(_NAME, binding=False) as part, pa.ipc.new_stream(_Sink(part), schema, options=_packed()) as stream:
        for batch in reader:
            stream.write_batch(pa.RecordBatch.from_arrays([batch.column(field.name) for field in schema], schema=schema))
            part.records += batch.num_rows


def send(work: Work, sending: Sending) -> None:
    """Into the sidecar's folder, whole under its final name; put twice, it is the same file."""
    claim(_folder(work), work.partner.id)
    folder = fills(_folder(work))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{work.delivery.id}{SUFFIX}"
    for part in sending.parts:
        if part.done_at is not None:
            continue
        sending.begin(part, str(Location("file", "", str(path.relative_to(work.lake.engine.home)))))
        temporary = folder / f".{secrets.token_hex(6)}.part"
        key = work.keys.ensure(PURPOSE, work.delivery.id)
        with sending.open(part) as plain, temporary.open("wb") as file:
            with SealedWriter(cast(BinaryIO, file), key, context=context_of(path)) as sealed:
                while block := plain.read(1 << 20):
                    sealed.write(block)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o600)
        temporary.replace(path)
        sending.done(part)


def confirm(work: Work, parts: Sequence[Part]) -> Sequence[Answer]:
    """What the sidecar said of it. One that does not run takes it when it starts."""
    path = fills(_folder(work)) / f"{work.delivery.id}{SUFFIX}"
    flow = _flow(work)
    until = time.monotonic() + flow.patience.total_seconds()
    while (said := answer_of(path)) is None and path.exists() and time.monotonic() < until:
        time.sleep(0.2)
    if said is None:
        return ()
    return (Answer(said["code"], said["words"], None if said["taken"] else False),)


def _about(work: Work) -> dict[str, Any]:
    """What the sidecar must know: the journal's number up to which the lake's loans tell of kiosks, and since when (seconds since 1970) the
    library system may not know of holds, fees, patrons and items; None for what it never told of."""
    engine, flow = work.lake.engine, _flow(work)
    journal = identity(_folder(work) / "journal")
    until = as_of(engine.ledger, work.partner.id, journal, work.lake.pins.get("loan"), work.as_of)
    return {
        "partner": work.partner.id,
        "journal": journal,
        "until": until,
        "told": {kind: _told_at(work, table, flow.takes) for kind, table in _KINDS.items()},
    }


def _told_at(work: Work, table: str, takes: timedelta) -> float | None:
    done = (State.PUBLISHED, State.ACKNOWLEDGED)
    found = deliveries.find(work.lake.engine.ledger, partner=work.partner.id, table=table, states=done, limit=20)
    newest = next((one for one in found if one.published_at is not None and one.published_at <= work.as_of), None)
    if newest is None:
        return None
    at = newest.mtime_ns / 1e9 if newest.mtime_ns else newest.seen_at.timestamp()
    return min(at, newest.seen_at.timestamp()) - takes.total_seconds()


def _flow(work: Work) -> CirculationFill:
    assert isinstance(work.flow, CirculationFill)
    return work.flow


def _folder(work: Work) -> Path:
    return work.lake.engine.home / _flow(work).folder


def _packed() -> pa.ipc.IpcWriteOptions:
    return pa.ipc.IpcWriteOptions(compression="zstd")


class _Sink:
    """A part as a file that pyarrow writes to."""

    def __init__(self, part: Any) -> None:
        self._part, self.closed = part, False

    def write(self, data: Any) -> int:
        return int(self._part.write(bytes(data)))

    def flush(self) -> None:
        return None

    def close(self) -> None:
        self.closed = True
