"""What the outbound steps share: the delivery at work, where its files lie, its accepted rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from include.engine import clock
from include.engine.ahead import ahead
from include.engine.clock import day_in
from include.engine.delivery import Counts, Delivery
from include.engine.engine import Engine
from include.engine.errors import SettingsError
from include.engine.inbound.gate import without
from include.engine.inbound.work import key_of
from include.engine.ledger import quarantined
from include.engine.outbound.again import chosen
from include.engine.outbound.connector import LEFT, Outbound, Work
from include.engine.outbound.lake import View, pinned
from include.engine.outbound.settings import OutboundFlow
from include.engine.outbound.settled import again_of
from include.engine.partner.settings import Partner
from include.engine.spool import open_spool

ROWS, LEFT_OUT, LATE = "rows.staged", "left.staged", "late.json"
REFUSED = "send-"
"""What a receiver did not take of a part is set aside in a step of its own: `send-0`."""


def flow_of(partner: Partner, delivery: Delivery) -> OutboundFlow:
    """The partner's settings for the delivery's flow; SettingsError when its YAML no longer has it."""
    flow = partner.flows.get(delivery.flow)
    if not isinstance(flow, OutboundFlow):
        raise SettingsError(
            f"the flow {delivery.flow} is not in this partner's YAML.", where=partner.where(), do="Put it back, then clear the task."
        )
    return flow


def work_on(engine: Engine, delivery: Delivery, connector: Outbound, *, anew: bool = False) -> Work:
    """The delivery as its connector sees it, with today's settings: at the moment and the lake's versions that it was selected at, or
    (`anew`) at those of now."""
    partner = engine.partner(delivery.partner)
    flow = flow_of(partner, delivery)
    as_of = clock.now() if anew or "as_of" not in delivery.facts else datetime.fromisoformat(delivery.facts["as_of"])

    def seen(pins: dict[str, int], tables: tuple[str, ...]) -> Work:
        view = View(engine, partner.id, delivery.flow, pins, tables, again_of(engine, delivery), _only(engine, delivery))
        return Work(partner, flow, delivery, as_of, day_in(partner.timezone, as_of), view, engine.keys, engine.credentials)

    tables = tuple(connector.reads(seen({}, ())))
    pins = pinned(engine, tables) if anew or "pins" not in delivery.facts else dict(delivery.facts["pins"])
    return seen(pins, tables)


def _only(engine: Engine, delivery: Delivery) -> frozenset[str] | None:
    """The names of the records that a replay of some was asked for."""
    if delivery.origin is None or not delivery.origin_filter:
        return None
    return frozenset(one.member for one in chosen(engine, delivery.origin, delivery.origin_filter))


def staged(engine: Engine, delivery: Delivery) -> Path:
    """The folder of the selection."""
    return engine.home / str(delivery.staged_uri)


def accepted(engine: Engine, delivery: Delivery) -> pa.RecordBatchReader:
    """The selected rows that passed the gate, from the start, each time it is called."""
    folder = staged(engine, delivery)
    late = np.asarray(json.loads((folder / LATE).read_text()), dtype=np.int64)
    opened = open_spool(folder / ROWS, key_of(engine, delivery))
    stream = opened.__enter__()

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            with ahead(without(stream, late)) as rows:
                yield from rows
        finally:
            opened.__exit__(None, None, None)

    return pa.RecordBatchReader.from_batches(stream.schema, batches())


def anything(engine: Engine, delivery: Delivery) -> bool:
    """Whether any row was selected and accepted; without one there is no file of rows."""
    return (staged(engine, delivery) / ROWS).exists()


def left_out(engine: Engine, delivery: Delivery) -> Iterator[pa.RecordBatch]:
    """The records that do not go out (LEFT), from the start."""
    path = staged(engine, delivery) / LEFT_OUT
    if path.exists():
        with open_spool(path, key_of(engine, delivery)) as reader:
            yield from reader


def refused_records(engine: Engine, delivery: Delivery) -> set[str]:
    """The records that the receiver did not take."""
    found = quarantined.find(engine.ledger, delivery_id=delivery.id, limit=10_000_000)
    return {one.member for one in found if one.step.startswith(REFUSED)}


def counts_of(facts: dict[str, Any]) -> Counts:
    """Counts as they were noted in a delivery's facts."""
    return Counts(**facts)


def none_left() -> pa.Table:
    """No record that is left out."""
    return LEFT.empty_table()
