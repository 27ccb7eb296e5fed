"""CSV files into a folder of the partner's: rendered once, put whole under their final name, the same bytes at every try."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.csv as pacsv

from connectors.crm.settings import FileFlow
from include.engine.outbound.connector import Parts, Sending, Work
from include.engine.storage.filesystem import open_store
from include.engine.storage.uri import parse

BOM = b"\xef\xbb\xbf"


def flow_of(work: Work) -> FileFlow:
    """The partner's settings."""
    assert isinstance(work.flow, FileFlow)
    return work.flow


def render(work: Work, name: str, tables: Callable[[], Iterable[pa.Table]], parts: Parts) -> None:
    """One file of the tables' rows, in the columns that the YAML names."""
    flow = flow_of(work)
    with parts.part(name) as part:
        if flow.bom:
            part.write(BOM)
        for table in tables():
            named = flow.columns or {column: column for column in table.column_names}
            shown = pa.table({theirs: _text(table.column(ours)) for theirs, ours in named.items()})
            out = io.BytesIO()
            options = pacsv.WriteOptions(include_header=part.records == 0, delimiter=flow.separator)
            pacsv.write_csv(shown, out, options)
            part.write(out.getvalue())
            part.records += table.num_rows


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()).fill_null("")


def send(work: Work, sending: Sending) -> None:
    """Put the files; one that may be there already is put over itself."""
    flow = flow_of(work)
    for part in sending.parts:
        if part.done_at is not None:
            continue
        with open_store(flow.outbox, work.credentials, work.lake.engine.home) as store, sending.open(part) as plain:
            sending.begin(part, str(parse(flow.outbox).child(part.name)))
            sending.done(part, bytes=store.put(part.name, plain))
