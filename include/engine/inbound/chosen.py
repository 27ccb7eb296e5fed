"""Which records of the kept bytes a replay takes: all of them, some by number, or those that were set aside for one reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.inbound.connector import Read
from include.engine.ledger import quarantined
from include.engine.ledger.quarantined import Fate


@dataclass(frozen=True)
class Chosen:
    """`pairs` are (member, record); None is everything."""

    pairs: frozenset[tuple[str, int]] | None

    @classmethod
    def of(cls, engine: Engine, delivery: Delivery) -> Chosen:
        """What the delivery's `origin_filter` says: `{"record": 3}`, `{"reason": "..."}` or both; everything when there is none."""
        if not delivery.origin or not delivery.origin_filter:
            return cls(None)
        asked = delivery.origin_filter
        if "reason" not in asked:
            return cls(frozenset({(asked.get("member", ""), int(asked["record"]))}))
        found = quarantined.find(
            engine.ledger, delivery_id=delivery.origin, reason=asked["reason"], record=asked.get("record"), limit=10_000_000
        )
        return cls(frozenset((one.member, one.record) for one in found if one.state != Fate.DISCARDED))  # a person left it out for good

    @property
    def everything(self) -> bool:
        """True when nothing is left out."""
        return self.pairs is None

    def rows(self, rows: pa.RecordBatch | None) -> pa.RecordBatch | None:
        """Only the chosen rows (source columns `_member`, `_record`)."""
        if self.pairs is None or rows is None:
            return rows
        return rows.filter(self._mask(rows, "_member", "_record"))

    def only(self, read: Read) -> Read:
        """What was read, without what was not chosen; what a reader filters has no record numbers, and is no part of a choice."""
        if self.pairs is None:
            return read
        aside = read.set_aside
        if aside is not None:
            aside = aside.filter(self._mask(aside, "member", "record"))
        return replace(read, set_aside=aside, filtered={}, warnings={})

    def _mask(self, rows: Any, member: str, record: str) -> pa.Array:
        pairs = self.pairs or frozenset()
        mine = zip(rows.column(member).to_pylist(), rows.column(record).to_pylist(), strict=True)
        return pa.array([pair in pairs for pair in mine], pa.bool_())
