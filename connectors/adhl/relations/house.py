"""What a release needs, handed to it by whoever starts it: a DAG, the command line or a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.adhl.pid import catalogue
from connectors.adhl.relations.settings import Settings
from include.engine.contract.model import Contract
from include.engine.crypto.keys import KeyStore
from include.engine.lake.source import Source, pinned_source

if TYPE_CHECKING:
    from include.engine.engine import Engine

FOLDER = "adhl_relations"
"""Where the snapshots lie, below Bindery's home."""
CONTRACTS = ("title", "relation")

_TEXT, _YES = pa.string(), pa.bool_()
INPUTS: dict[str, pa.Schema] = {
    "bibliographic": pa.schema([("control_number", _TEXT), ("title", _TEXT), ("responsibility", _TEXT), ("contributors", pa.list_(_TEXT))]),
    "item": pa.schema([("item_id", _TEXT), ("barcode", _TEXT), ("control_number", _TEXT)]),
    "patron": pa.schema([("patron", _TEXT), ("merged_into", _TEXT), ("institution", _YES)]),
    "patron_alias": pa.schema([("alias", _TEXT), ("patron", _TEXT)]),
    "loan": pa.schema(
        [(name, _TEXT) for name in ("event", "kind", "patron", "item_id", "barcode", "control_number")] + [("loaned_on", pa.date32())]
    ),
}
"""The columns that are read, and no others. `patron` is a pseudonym; it is counted, and never written."""


@dataclass(frozen=True)
class House:
    """The collaborators of a release.

    home: Bindery's folder, on a file system with atomic rename. keys: where the release's secret lies. catalogues: by partner, what stands
    before the colon in its pids. contracts: `title` and `relation`.
    """

    home: Path
    source: Source
    keys: KeyStore
    contracts: Mapping[str, Contract]
    catalogues: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    @property
    def root(self) -> Path:
        return self.home / FOLDER

    def catalogue(self, partner: str) -> str:
        return self.catalogues.get(partner) or catalogue(None, partner)


def house_of(engine: Engine, settings: Settings) -> House:
    """The house of an installation: its lake at the pinned versions, its keys and contracts, and what its partners' YAML says of them."""
    return House(
        home=engine.home,
        source=pinned_source(engine.lake, INPUTS),
        keys=engine.keys,
        contracts={name: engine.contract(f"adhl_{name}") for name in CONTRACTS},
        catalogues={partner.id: catalogue(partner.agency, partner.id) for partner in engine.partners().partners.values()},
        settings=settings,
    )
