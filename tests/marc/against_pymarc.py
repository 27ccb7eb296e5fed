"""Generated records, row by row as pymarc reads them, in both encodings: python -m tests.marc.against_pymarc 200000 (`make marc`)

Also: what is written back from the long table has the same bytes (UTF-8) or the same text (MARC-8).
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable

import numpy as np

from include.marc import iso2709
from include.marc.batch import Batch, Outcome
from include.marc.build import one_by_one
from include.marc.charsets import NAMES
from include.marc.long import from_long
from include.marc.write import iso2709 as to_iso
from tests.bench.marc_data import chunks
from tests.marc.iso2709.test_scan import pymarc_rows, rows_of


def compare(pieces: Iterable[bytes]) -> tuple[int, int]:
    """Records and rows that are the same; AssertionError at the first that is not."""
    records = rows = 0
    for content in pieces:
        for batch in iso2709.scan(io.BytesIO(content)):
            assert (batch.outcome == Outcome.CLEAN).all() and not batch.aside.num_rows
            raws = [content[at : at + size] for at, size in zip(batch.offset.tolist(), batch.length.tolist(), strict=True)]
            for record, raw in zip(one_by_one(batch), raws, strict=True):
                ours = rows_of(record)
                assert ours == pymarc_rows(raw), f"another than pymarc's: {record.fields[0].data}"
                rows += len(ours)
            _back(batch, raws)
            records += len(batch)
    return records, rows


def _back(batch: Batch, raws: list[bytes]) -> None:
    """From the long table to bytes again."""
    out = io.BytesIO()
    to_iso.write([from_long(batch.long())], out)
    utf8 = batch.charset == NAMES.index("utf-8")
    (again,) = iso2709.scan(io.BytesIO(out.getvalue()), block=1 << 30)
    assert again.value.equals(batch.value) or not utf8.all()
    written = out.getvalue()
    same = [written[at : at + size] for at, size in zip(again.offset.tolist(), again.length.tolist(), strict=True)]
    for place in np.flatnonzero(utf8).tolist():
        assert same[place] == raws[place], "written back, the record has other bytes"


if __name__ == "__main__":
    found = compare(chunks(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
    print(f"{found[0]:,} records, {found[1]:,} rows: all as pymarc reads them")
