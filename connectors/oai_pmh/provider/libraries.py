"""Whose records are served, and where their rows lie: the lake at its pinned version, or any other rows of the contract `bibliographic`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.oai_pmh.provider.settings import OaiProvider
from include.engine.engine import Engine
from include.engine.errors import SettingsError
from include.engine.lake.files import files_of, fitted
from include.engine.lake.read import at_version
from include.engine.lake.table import data_schema, exists, store_of

TABLE = "bibliographic"
_ROWS = 4096
Rows = Callable[[str, Sequence[str]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class Library:
    """One partner: its name, what its settings say, its files (a file's content never changes), and how their rows are read.

    `rows(file, columns)` gives all rows of a file, in the same order each time. Raises FileNotFoundError when the file is gone.
    """

    partner: str
    name: str
    settings: OaiProvider
    files: tuple[str, ...]
    rows: Rows


@dataclass(frozen=True)
class Catalogue:
    """What is to be served now. `unsure` are partners whose YAML cannot be read: what is shown of them stays as it is."""

    libraries: tuple[Library, ...]
    unsure: frozenset[str] = frozenset()
    version: int | None = None


def catalogue(engine: Engine) -> Catalogue:
    """The lake's pinned version, of the partners whose YAML has an enabled `oai_provider`.

    SettingsError when there is no YAML at all: a folder that is not mounted must not withdraw everyone's records.
    """
    partners = engine.partners()
    if not partners.partners and not partners.mistakes:
        raise SettingsError(
            "there is no partner's YAML.", where=engine.partners_folder.name, do="Set BINDERY_PARTNERS to the folder that has them."
        )
    served = {}
    for partner in partners.partners.values():
        settings = partner.flows.get("oai_provider")
        if isinstance(settings, OaiProvider) and settings.enabled:
            served[partner.id] = (partner.name, settings)
    unsure = frozenset(mistake.partner for mistake in partners.mistakes)
    if not exists(engine.lake, TABLE):
        return Catalogue(tuple(Library(id, name, settings, (), _no_rows) for id, (name, settings) in served.items()), unsure)
    handle, store = at_version(engine.lake, TABLE), store_of(engine.lake, TABLE)
    schema = data_schema(handle)

    def rows(file: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        asked = pa.schema([schema.field(name) for name in columns])
        with store.open_input(file) as stream:
            for batch in pq.ParquetFile(stream).iter_batches(batch_size=_ROWS, columns=list(columns)):
                yield fitted(batch, asked)

    libraries = (
        Library(id, name, settings, tuple(file.path for file in files_of(handle, id)), rows) for id, (name, settings) in served.items()
    )
    return Catalogue(tuple(libraries), unsure, int(handle.version()))


def _no_rows(file: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    raise FileNotFoundError(file)
