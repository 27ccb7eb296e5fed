"""Batches as lines for people: a line for each field, a blank line behind each record.

LDR 00714cam a2200205 a 4500          danMARC2, as its own line format has it:
001 12883376                          001 00 *a 5 123 456 7 *b 870970
245 10 $a Title / $c A. Author.       245 00 *a Titel *e A. Forfatter
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from include.marc.batch import Batch, Family
from include.marc.write.rows import Row, Written, data_of, dressed, patched, rows_with

LINE_ENDS = (np.arange(256) == 10) | (np.arange(256) == 13)
SIGNS = {"marc21": "$", "unimarc": "$", "danmarc2": "*"}


def write(batches: Iterable[Batch], out: BinaryIO, *, family: Family = "marc21") -> Written:
    """Write all records as UTF-8. Line ends inside values become blanks. In danMARC2 `@` and `*` of a value are written `@@` and `@*`."""
    written = Written()
    sign = SIGNS[family]

    def before(row: Row) -> bytes:
        head = f"{row.tag} " + (f"{row.indicators} " if row.indicators else "") if row.begins else " "
        return (head + (f"{sign}{row.code} " if row.code else "")).encode()

    def after(row: Row) -> bytes:
        return (b"\n" if row.ends else b"") + (b"\n" if row.ends_record else b"")

    for batch in batches:
        values = batch.value.cast(pa.binary())
        odd = rows_with(values, LINE_ENDS | _escaped(family))
        texts = [_line(text, family) for text in values.take(pa.array(odd)).to_pylist()]
        data, _ = data_of(dressed(batch, patched(values, odd, pa.array(texts, pa.binary())), before, after))
        out.write(data.data)
        written.records += len(batch)
    return written


def _escaped(family: Family) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.zeros(256, np.bool_)
    if family == "danmarc2":
        found[list(b"@*")] = True
    return found


def _line(text: bytes, family: Family) -> bytes:
    text = text.replace(b"\r\n", b" ").replace(b"\n", b" ").replace(b"\r", b" ")
    return text.replace(b"@", b"@@").replace(b"*", b"@*") if family == "danmarc2" else text
