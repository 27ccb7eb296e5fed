"""Batches as MARCXML (loc.gov/standards/marcxml) or MarcXchange (ISO 25577)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa

from include.marc.batch import Batch, Family
from include.marc.charsets import NAMES
from include.marc.record import quoteattr
from include.marc.write.rows import Row, Written, data_of, dressed, patched, rows_with

Form = Literal["marcxml", "marcxchange"]
NAMESPACES: dict[Form, str] = {"marcxml": "http://www.loc.gov/MARC21/slim", "marcxchange": "info:lc/xmlns/marcxchange-v1"}
FORMATS: dict[Family, str] = {"marc21": "MARC21", "unimarc": "UNIMARC", "danmarc2": "danMARC2"}
#: Bytes of a value that need a closer look: those below 32 but TAB and LF, `&`, `<`, `>`, and the first byte of U+FFFE and U+FFFF.
CLOSER = np.zeros(256, np.bool_)
CLOSER[:32] = True
CLOSER[[9, 10]] = False  # CR needs a reference: a parser reads a bare one as LF
CLOSER[[0x26, 0x3C, 0x3E, 0xEF]] = True
#: The code under which text stands that has none.
NO_CODE = "?"
ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", 13: "&#13;"}
# XML 1.0, production 2: these may not stand in a document, not even as references
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write(batches: Iterable[Batch], out: BinaryIO, *, form: Form = "marcxml", family: Family = "marc21") -> Written:
    """Write a whole document, in UTF-8, a record a line. Told as problems: MARC_CHARACTER_LOST (what XML cannot hold), MARC_SUBFIELD_CODE (text
    that has no code in its field: it is written under `?`)."""
    written = Written()
    attributes = f' format="{FORMATS[family]}" type="Bibliographic"' if form == "marcxchange" else ""
    out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="{NAMESPACES[form]}">\n'.encode())
    for batch in batches:
        if len(batch):
            data, _ = data_of(_rows(batch, f"<record{attributes}>", "</record>\n", written, family))
            out.write(data.data)
            written.records += len(batch)
    out.write(b"</collection>\n")
    return written


def elements(batch: Batch, *, family: Family = "marc21") -> pa.StringArray:
    """One `record` element of MARCXML for each record, which names its namespace and needs no declaration."""
    rows = _rows(batch, f"<record xmlns={quoteattr(NAMESPACES['marcxml'])}>", "</record>", Written(), family)
    # The rows of a record lie side by side, so each record's element is there already: only its edges are still wanted.
    data, offsets = data_of(rows)
    return pa.StringArray.from_buffers(len(batch), pa.py_buffer(offsets[batch.first].astype(np.int32)), pa.py_buffer(data))


def _rows(batch: Batch, opening: str, closing: str, written: Written, family: Family) -> pa.BinaryArray:
    """The rows of the batch as they stand in a document."""
    values = _escaped(batch, written, family)
    stray = (batch.ind1 != 0) & (batch.code == 0) & (np.diff(data_of(values)[1]) > 0)
    if stray.any():  # XML has no place for text before a field's first subfield but a subfield
        written.tell(batch, batch.rec[stray].tolist(), "MARC_SUBFIELD_CODE", "text before a field's first subfield")
        batch = replace(batch, code=np.where(stray, ord(NO_CODE), batch.code).astype(np.uint16))

    def before(row: Row) -> bytes:
        if row.leader:
            return f"{opening}<leader>".encode()
        if not row.indicators:
            return f"<controlfield tag={_attribute(row.tag)}>".encode()
        one, two = map(_attribute, row.indicators)
        field = f"<datafield tag={_attribute(row.tag)} ind1={one} ind2={two}>" if row.begins else ""
        return (field + (f"<subfield code={_attribute(row.code)}>" if row.code else "")).encode()

    def after(row: Row) -> bytes:
        if row.leader:
            end = "</leader>"
        elif not row.indicators:
            end = "</controlfield>"
        else:
            end = ("</subfield>" if row.code else "") + ("</datafield>" if row.ends else "")
        return (end + (closing if row.ends_record else "")).encode()

    return dressed(batch, values, before, after)


def _attribute(text: str) -> str:
    return quoteattr(NOT_XML.sub("?", text))


def _escaped(batch: Batch, written: Written, family: Family) -> pa.BinaryArray:
    """The values as they stand in XML. A MARC 21 leader that said MARC-8 says Unicode, which this is."""
    values = batch.value.cast(pa.binary())
    odd = rows_with(values, CLOSER)
    if len(odd):
        texts = batch.value.take(pa.array(odd)).to_pylist()
        lost = [row for row, text in zip(odd.tolist(), texts, strict=True) if NOT_XML.search(text)]
        written.tell(batch, batch.rec[lost].tolist(), "MARC_CHARACTER_LOST", "xml")
        clean = [NOT_XML.sub("", text).translate(ESCAPES).encode() for text in texts]
        values = patched(values, odd, pa.array(clean, pa.binary()))
    old = np.flatnonzero(batch.charset == NAMES.index("marc-8")) if family == "marc21" else np.zeros(0, np.int64)
    leaders = [text[:9] + b"a" + text[10:] for text in values.take(pa.array(batch.first[old])).to_pylist()]
    return patched(values, batch.first[old], pa.array(leaders, pa.binary()))
