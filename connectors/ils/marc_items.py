"""Items and holdings inside bibliographic records, as a block of texts that is read like any table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.ils.columns import available
from connectors.ils.profile import Column, Columns, Embedded
from connectors.ils.texts import TextBlock
from include.engine.errors import SettingsError
from include.marc.batch import Batch, Ints

PARENT = ("control_number", "agency")


class Items:
    """How one field that carries items (or holdings) is read. `columns`: where each of our columns comes from, those of the record among them."""

    def __init__(self, embedded: Embedded) -> None:
        self.field, self.indicators = embedded.field, embedded.indicators
        parent: Columns = {name: (Column(source=(name,)),) for name in PARENT}
        self.columns = parent | embedded.columns
        self.codes = sorted({name for alternatives in embedded.columns.values() for column in alternatives for name in column.source})
        if not all(len(code) == 2 and code[0] == "$" for code in self.codes):
            raise SettingsError(f"columns of {embedded.field} name subfields, such as $p", where="profile")
        assert all(available(alternatives, frozenset(self.codes)) for alternatives in embedded.columns.values())

    def block(self, batch: Batch, parent: pa.RecordBatch, member: str, raw: Callable[[int, int], bytes]) -> TextBlock | None:
        """Every such field of the batch's records; a subfield that comes twice counts by its first. None if there is none.

        `parent` has a row for each record of the batch. raw(offset, length) gives bytes of the member.
        """
        rows = batch.rows_of(self.field)
        rows = rows[batch.ind1[rows] != 0]
        if self.indicators:
            first, second = map(ord, self.indicators)
            rows = rows[(batch.ind1[rows] == first) & (batch.ind2[rows] == second)]
        if not len(rows):
            return None
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = (batch.rec[rows[1:]] != batch.rec[rows[:-1]]) | (batch.seq[rows[1:]] != batch.seq[rows[:-1]])
        field, rec = np.cumsum(begins) - 1, batch.rec[rows[begins]]
        texts = {code: _firsts(batch, rows, field, ord(code[1]), len(rec)) for code in self.codes}
        texts |= {name: parent.column(name).take(pa.array(rec)) for name in PARENT}
        offset, length = batch.offset[rec], batch.length[rec]
        return TextBlock(
            member, texts, batch.number[rec], offset, length, lambda row: raw(int(offset[row]), int(length[row])), records=len(rec)
        )


def _firsts(batch: Batch, rows: Ints, field: Ints, code: int, fields: int) -> pa.StringArray:
    """The first value of each field's subfield `code`; null where it is missing or empty."""
    having = np.flatnonzero(batch.code[rows] == code)
    place = np.full(fields, -1, np.int64)
    place[field[having[::-1]]] = rows[having[::-1]]
    texts = batch.value.take(pa.array(place, mask=place < 0))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
