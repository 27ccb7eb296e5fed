"""An erased person does not come back by what was received before: replays and deliveries on their way are read without them.

A delivery that arrives after the erasure is another matter: who is a patron again may be delivered again.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.crypto.keys import KeyStore
from include.engine.delivery import Delivery
from include.engine.erasure.request import PROSPECT
from include.engine.ledger import deliveries, erased
from include.engine.ledger.database import Ledger
from include.engine.privacy.pseudonym import Pseudonyms

REASON = "ERASED_SUBJECT"
_OWN = ("patron_id", "merged_into")  # whose row it is, as the ILS's number
_CARDS = ("card_number", "card_numbers")


class Erased:
    """Who was erased after a delivery's bytes had arrived. Made once a try: it reads the ledger; rows are then filtered in memory."""

    def __init__(self, ledger: Ledger, keys: KeyStore, delivery: Delivery) -> None:
        arrived = delivery.seen_at if delivery.root == delivery.id else deliveries.get(ledger, delivery.root).seen_at
        self.references = frozenset(one.pseudonym for one in erased.of(ledger, delivery.partner) if one.at >= arrived)
        self._names = Pseudonyms(keys, delivery.partner, "erased") if self.references else None

    def without(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, int]:
        """Incoming rows without those of erased persons, and how many these were (to be counted as filtered, with REASON).

        A guardian who was erased is taken out of the child's row, which stays.
        """
        if self._names is None or not rows.num_rows:
            return rows, 0
        theirs = np.zeros(rows.num_rows, bool)
        for name in _OWN:
            if name in rows.schema.names:
                theirs |= self._are(rows.column(name))
        for name in _CARDS:
            if name in rows.schema.names:
                theirs |= self._have(rows.column(name))
        if "prospect_id" in rows.schema.names:
            numbers = rows.column("prospect_id").cast(pa.string())
            theirs |= self._are(pc.binary_join_element_wise(pa.scalar(PROSPECT), numbers, ""))
        left = rows.filter(pa.array(~theirs)) if theirs.any() else rows
        return self._without_guardians(left), int(theirs.sum())

    def _are(self, values: pa.Array, kind: str = "patron") -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        assert self._names is not None
        made = self._names.of(values, "card" if kind == "card" else "patron")
        return np.asarray(pc.is_in(made, value_set=pa.array(sorted(self.references), pa.string())))

    def _have(self, values: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if not pa.types.is_list(values.type) and not pa.types.is_large_list(values.type):
            return self._are(values, "card")
        rows = np.zeros(len(values), bool)
        rows[np.asarray(pc.list_parent_indices(values))[self._are(pc.list_flatten(values), "card")]] = True
        return rows

    def _without_guardians(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        if "guardian_id" not in rows.schema.names:
            return rows
        place, column = rows.schema.get_field_index("guardian_id"), rows.column("guardian_id")
        kept = pc.if_else(pa.array(~self._are(column)), column, pa.scalar(None, column.type))
        return rows.set_column(place, rows.schema.field(place), kept)
