"""What a BI feed needs, handed to it by whoever starts it: a DAG, the command line or a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from connectors.bi.source import Source, pinned_source
from connectors.bi.tables import TABLES
from include.engine import clock
from include.engine.contract.model import Contract
from include.engine.errors import SettingsError
from include.engine.privacy.pseudonym import Pseudonyms

if TYPE_CHECKING:
    from include.engine.engine import Engine


class Rekey(Protocol):
    """Keyed pseudonyms of one partner for the purpose 'bi' (include/engine/privacy/pseudonym.py)."""

    @property
    def key_id(self) -> str: ...

    def of(self, values: pa.Array) -> pa.Array:
        """Text in, text of 32 hex digits out, in the same order; null stays null."""
        ...


@dataclass(frozen=True)
class Library:
    """What the partner's settings say of a library: its name, its IANA time zone, and its branches' names by code."""

    name: str
    timezone: str = "UTC"
    branches: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """`keep` snapshots at most, none older than `keep_days` but the latest; `memory` is DuckDB's share, half of the process's."""

    keep: int = 7
    keep_days: int = 30
    memory: str = "500MB"
    threads: int = 2
    lock_wait_s: float = 900.0

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Settings:
        """`BINDERY_BI_KEEP`, `BINDERY_BI_KEEP_DAYS` (whole numbers from 1) and `BINDERY_BI_MEMORY` (such as 500MB), where they are set."""
        found = {name: environment.get(f"BINDERY_BI_{name.upper()}", "") for name in ("keep", "keep_days")}
        wrong = [f"BINDERY_BI_{name.upper()}" for name, value in found.items() if value and not (value.isdecimal() and int(value) > 0)]
        if wrong:
            raise SettingsError(
                f"{' and '.join(wrong)} must be a whole number from 1.", where="environment", do="Mend it, or leave it out."
            )
        numbers = {name: int(value) for name, value in found.items() if value}
        return cls(**numbers, memory=environment.get("BINDERY_BI_MEMORY") or cls.memory)


@dataclass(frozen=True)
class House:
    """The collaborators of a feed.

    home: Bindery's folder; the feed lies in `<home>/bi`. It must be a file system with atomic rename (local disk or NFS).
    source: the lake at pinned versions. pseudonyms: partner -> its keys for the purpose 'bi'. today: the day that age bands are told for.
    contracts: `bi_<table>` by table of the star; every table must have one, for the gate and for the data dictionary.
    libraries: by partner; one that is not there is named by its partner id, in UTC.
    """

    home: Path
    source: Source
    pseudonyms: Callable[[str], Rekey]
    contracts: Mapping[str, Contract]
    today: date
    libraries: Mapping[str, Library] = field(default_factory=dict)
    settings: Settings = Settings()

    @property
    def root(self) -> Path:
        return self.home / "bi"

    def library(self, partner: str) -> Library:
        return self.libraries.get(partner, Library(partner))


def house_of(engine: Engine, settings: Settings | None = None) -> House:
    """The house of an installation: its lake at the pinned versions, its keys, its contracts, and what its partners' YAML says of them."""

    @cache
    def pseudonyms(partner: str) -> Rekey:
        return Pseudonyms(engine.keys, partner, "bi")

    return House(
        home=engine.home,
        source=pinned_source(engine.lake),
        pseudonyms=pseudonyms,
        contracts={name: engine.contract(f"bi_{name}") for name in TABLES},
        today=clock.now().date(),
        libraries={partner.id: Library(partner.name, partner.timezone) for partner in engine.partners().partners.values()},
        settings=settings or Settings.of_environment(os.environ),
    )
