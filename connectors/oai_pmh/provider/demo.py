"""The sandbox's made-up Danish library as a catalogue, so that `serve --demo` needs no lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from connectors.oai_pmh.provider.libraries import Catalogue, Library
from connectors.oai_pmh.provider.settings import OaiProvider
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.lake.rows import row_hash
from include.marc import mapping
from include.marc.record import Field, Record, marcxml
from include.sandbox.world.render import marc21
from include.sandbox.world.render.iso2709 import SUBFIELD
from include.sandbox.world.titles import titles
from include.sandbox.world.world import World, world

TITLES = 5000
_LOANS_A_TITLE = 16  # World.titles
_STEP = 1000


def demo_catalogue(count: int = TITLES) -> Catalogue:
    """`count` titles (at most 312,500) of the library Lindeby."""
    made = world("lindeby", count * _LOANS_A_TITLE, 1)

    def rows(file: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for start in range(0, count, _STEP):
            yield _batch(made, start, min(count, start + _STEP)).select(list(columns))

    rights = "https://creativecommons.org/publicdomain/zero/1.0/"
    return Catalogue((Library("lindeby", made.library.name, OaiProvider(rights=rights), (f"demo-{count}",), rows),))


def _batch(made: World, first: int, last: int) -> pa.RecordBatch:
    schema = pa.schema([field for field in arrow_schema(load("bibliographic")) if field.name != "partner"])
    columns = mapping.load("marc21_bibliographic")
    rows = []
    for title in titles(made, np.arange(first, last)):
        record = _record(marc21.leader(title, "utf-8"), marc21.bibliographic(made, title, []))
        row = columns.row(record) | {"format": "marc21", "encoding": "utf-8", "deleted": False, "marcxml": marcxml(record)}
        rows.append(row | {"year": int(row["year"])})
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    return batch.append_column("_row_hash", row_hash(batch, schema.names))


def _record(leader: str, fields: list[tuple[str, str]]) -> Record:
    found = Record(f"00000{leader[:7]}00000{leader[7:]}4500")
    for tag, data in fields:
        if SUBFIELD not in data:
            found.fields.append(Field(tag, data=data))
            continue
        indicators, *values = data.split(SUBFIELD)
        found.fields.append(Field(tag, indicators=indicators, subfields=[(value[0], value[1:]) for value in values]))
    return found
