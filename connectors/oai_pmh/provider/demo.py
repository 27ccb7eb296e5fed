"""The sandbox's made-up Danish library as a catalogue, so that `serve --demo` needs no lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.oai_pmh.provider.libraries import Catalogue, Library
from connectors.oai_pmh.provider.settings import OaiProvider
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.lake.rows import row_hash
from include.marc.record import NAMESPACE
from include.sandbox.world.render import marc21, marcxml
from include.sandbox.world.titles import Title, control_number, titles
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
    batch = pa.RecordBatch.from_pylist([_row(made, title) for title in titles(made, np.arange(first, last))], schema=schema)
    return batch.append_column("_row_hash", row_hash(batch, schema.names))


def _row(made: World, title: Title) -> dict[str, Any]:
    document = marcxml.record(marc21.leader(title, "utf-8"), marc21.bibliographic(made, title, []))
    return {
        "control_number": control_number(made, title.number), "agency": made.library.isil, "format": "marc21", "title": title.title,
        "subtitle": title.subtitle, "responsibility": title.responsibility, "contributors": [name for name in (title.author, title.second) if name],
        "publisher": title.publisher, "published": str(title.year), "year": title.year, "language": title.language,
        "isbn": [title.isbn] if title.isbn else None, "issn": [title.issn] if title.issn else None, "material_type": title.material,
        "subjects": list(title.subjects), "classification": title.shelf, "deleted": False, "encoding": "utf-8",
        "marcxml": document.replace("<record>", f'<record xmlns="{NAMESPACE}">', 1).strip(),
    }  # fmt: skip
