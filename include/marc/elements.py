"""Each record of a batch as one MARCXML `record` element: MARC 21 XML Schema (loc.gov/standards/marcxml), which MarcXchange (ISO 25577) widens.

The markup around values repeats itself: each kind of it is written once, and taken for every row that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Batch, Bools, Ints
from include.marc.record import NAMESPACE, NOT_XML

#: Bytes of a text that cannot stand as it is; U+FFFE and U+FFFF, which take three bytes, are looked for by themselves.
TO_CHANGE = np.zeros(256, np.bool_)
TO_CHANGE[[*range(32), *b"&<>"]] = True
TO_CHANGE[list(b"\t\n\r")] = False
#: The code under which text stands that has none: XML has no other place for it.
NO_CODE = "?"


def elements(batch: Batch, *, namespace: str = NAMESPACE) -> pa.StringArray:
    """One element for each record, without an XML declaration, and without characters that XML forbids."""
    begins, ends = _edges(batch)
    before = _marked(batch, begins, lambda row: _opening(batch, row, bool(begins[row]), namespace))
    record_ends = np.zeros(batch.rows, np.bool_)
    record_ends[batch.first[1:] - 1] = True
    after = _marked(batch, ends, lambda row: _closing(batch, row, bool(ends[row])), record_ends)
    pieces = pc.binary_join_element_wise(before, escaped(batch.value), after, "")
    # The rows of a record lie side by side, so each record's element is there already: only its edges are still wanted.
    offsets = np.frombuffer(pieces.buffers()[1], np.int32)[pieces.offset : pieces.offset + batch.rows + 1]
    return pa.StringArray.from_buffers(len(batch), pa.py_buffer(offsets[batch.first].copy()), pieces.buffers()[2])


def _edges(batch: Batch) -> tuple[Bools, Bools]:
    """Which rows are the first, and the last, of their field."""
    begins, ends = np.ones(batch.rows, np.bool_), np.ones(batch.rows, np.bool_)
    begins[1:] = (batch.seq[1:] != batch.seq[:-1]) | (batch.rec[1:] != batch.rec[:-1])
    ends[:-1] = begins[1:]
    return begins, ends


def _marked(batch: Batch, edge: Bools, markup: Callable[[int], str], record_ends: Bools | None = None) -> pa.StringArray:
    """The markup of each row; rows that agree in all that it depends on share it."""
    says = (np.asarray(pc.binary_length(batch.value)) > 0) & (batch.code == 0)
    key = batch.tag.astype(np.int64) << 34 | batch.ind1.astype(np.int64) << 26 | batch.ind2.astype(np.int64) << 18
    key |= batch.code.astype(np.int64) << 2 | edge.astype(np.int64) << 1 | says
    last = np.zeros(batch.rows, np.bool_) if record_ends is None else record_ends
    kinds = pa.array(np.where(last, ~key, key)).dictionary_encode()
    kind = np.asarray(kinds.indices)
    example = np.zeros(len(kinds.dictionary), np.int64)
    example[kind[::-1]] = np.arange(batch.rows)[::-1]
    words = [markup(row) + ("</record>" if last[row] else "") for row in example.tolist()]
    return pa.array(words, pa.string()).take(kinds.indices)


def _opening(batch: Batch, row: int, begins: bool, namespace: str) -> str:
    """What stands before a row's value."""
    tag, ind1, ind2, code = batch.tags.names[batch.tag[row]], int(batch.ind1[row]), int(batch.ind2[row]), int(batch.code[row])
    if batch.seq[row] == 0:
        return f"<record xmlns={quoteattr(namespace)}><leader>"
    if not ind1:
        return f"<controlfield tag={_attribute(tag)}>"
    head = f"<datafield tag={_attribute(tag)} ind1={_attribute(chr(ind1))} ind2={_attribute(chr(ind2))}>" if begins else ""
    return head + (f"<subfield code={_attribute(chr(code) if code else NO_CODE)}>" if code or batch.value[row].as_py() else "")


def _closing(batch: Batch, row: int, ends: bool) -> str:
    """What stands behind it."""
    if batch.seq[row] == 0:
        return "</leader>"
    if not batch.ind1[row]:
        return "</controlfield>"
    return ("</subfield>" if batch.code[row] or batch.value[row].as_py() else "") + ("</datafield>" if ends else "")


def _attribute(text: str) -> str:
    return quoteattr(NOT_XML.sub("?", text))


def escaped(values: pa.StringArray) -> pa.StringArray:
    """The texts as they stand in XML; most need nothing."""
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    if not len(values) or offsets[0] == offsets[-1]:
        return values
    data = np.frombuffer(values.buffers()[2], np.uint8)[: offsets[-1]]
    at = np.flatnonzero(TO_CHANGE[data])
    if len(maybe := np.flatnonzero(data[:-2] == 0xEF)):
        at = np.union1d(at, maybe[(data[maybe + 1] == 0xBF) & (data[maybe + 2] >= 0xBE)])
    rows: Ints = np.unique(np.searchsorted(offsets, at[at >= offsets[0]], side="right") - 1)
    rows = rows[rows < len(values)]
    if not len(rows):
        return values
    changed = np.zeros(len(values), np.bool_)
    changed[rows] = True
    texts = [escape(NOT_XML.sub("", text)) for text in values.take(pa.array(rows)).to_pylist()]
    return pc.replace_with_mask(values, pa.array(changed), pa.array(texts, pa.string()))
