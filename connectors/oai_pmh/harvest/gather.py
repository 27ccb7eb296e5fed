"""Records of kept pages side by side, some thousand at a time: columns throughout; single records are looked at only where something is the matter
with them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.oai_pmh.harvest.columns import SETS, STAMP, Bools, columns, moments
from connectors.oai_pmh.harvest.page import Page
from include.engine.contract.arrow import SOURCE_COLUMNS
from include.engine.reasons import words
from include.engine.storage.seen import shown
from include.engine.storage.warc import Page as Kept

Row = dict[str, Any]
RECORDS, BYTES = 20_000, 64 << 20
"""So many records, or so many bytes of pages, are bound at once."""
ROWS = pa.schema(
    [
        *[field for field in SOURCE_COLUMNS if field.name != "_member"],
        pa.field("identifier", pa.string()),
        pa.field("datestamp", STAMP),
        pa.field("sets", SETS),
        pa.field("deleted", pa.bool_()),
        pa.field("xml", pa.string()),
        pa.field("page", pa.int64()),
    ]
)
"""A record: where it stands in the kept bytes, what its header says, its metadata, and which of the pages it stands in."""


class Records:
    """Records of some pages. `aside` are rows of SET_ASIDE; `filtered` and `warnings` count by reason."""

    def __init__(self) -> None:
        self.pages: list[Kept] = []
        self.aside: list[Row] = []
        self.filtered: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self._rows: list[pa.Table] = []
        self._count = self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether they are enough."""
        return self._count >= RECORDS or self._bytes >= BYTES

    @property
    def rows(self) -> pa.Table:
        """Those that go on, in the schema ROWS; a column is one array."""
        return pa.concat_tables([ROWS.empty_table(), *self._rows]).combine_chunks()

    def add(self, page: Page, kept: Kept, record: int, counts: Bools | None) -> int:
        """The records of a page, of which the first has the number `record`; `counts` says which comings count. Returns how many there are."""
        found = columns(page)
        at = moments(found.datestamp)
        offset = found.offset + kept.offset
        keep = np.asarray(at.is_valid()).copy()
        keep[list(found.fault)] = False
        for number in np.flatnonzero(~keep).tolist():
            place = {"member": "", "record": record + number, "offset": int(offset[number]), "length": int(found.length[number])}
            reason = found.fault.get(number, "OAI_DATESTAMP_UNREADABLE")
            named = found.identifier[number].as_py() if number in found.fault else found.datestamp[number].as_py()[:40]
            raw = kept.content[found.offset[number] : found.offset[number] + found.length[number]]
            self.aside.append(place | {"reason": reason, "detail": words(reason, "en", value=shown(named or "?")[:200]), "raw": raw})
        if counts is not None:
            self.filtered["OAI_DUPLICATE"] += int((keep & ~counts).sum())
            keep &= counts
        self.warnings.update(reason for number, reason in found.mended.items() if keep[number])
        numbers = np.arange(record, record + len(found))
        where = np.full(len(found), len(self.pages))
        values = [numbers, offset, found.length, found.identifier, at, found.sets, found.deleted, found.xml, where]
        rows = pa.table([pa.array(value, field.type) for value, field in zip(values, ROWS, strict=True)], schema=ROWS)
        self._rows.append(rows if keep.all() else rows.filter(pa.array(keep)))
        self.pages.append(kept)
        self._count += len(found)
        self._bytes += len(kept.content)
        return len(found)

    def unserved(self, kept: Kept, record: int) -> None:
        """A record that the repository named and did not give."""
        reason = kept.fields["Fault"]
        place = {"member": "", "record": record, "offset": kept.offset, "length": len(kept.content)}
        detail = words(reason, "en", value=shown(kept.fields["Identifier"])[:200])
        self.aside.append(place | {"reason": reason, "detail": detail, "raw": kept.content})
        self._count += 1

    def tombstones(self, found: list[Row], record: int) -> None:
        """Records that we hold and that the repository has stopped to list, or lists as deleted."""
        self.warnings["OAI_VANISHED"] += sum(one["vanished"] for one in found)
        nowhere = {"_offset": 0, "_length": -1, "deleted": True, "xml": None, "page": -1}
        rows = [{"_record": number} | nowhere | one for number, one in enumerate(found, record + 1)]
        self._rows.append(pa.Table.from_pylist(rows, schema=ROWS))
        self._count += len(rows)
