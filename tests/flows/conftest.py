"""Libraries that deliver end to end below Airflow: connectors.ils, the four steps, the lake, the receipt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import flow_models
from connectors.ils import inbound as ils
from include.engine.ledger import Ledger
from tests.conftest import sqlite_ledger
from tests.house import House

LIBRARY = """\
name: Havnsund Forskningsbibliotek
isil: DK-899002
timezone: Europe/Copenhagen
language: {language}
status: {status}
{partner}
flows:
  ils_import:
    profile: koha
    overrides: {overrides}
    inbox: {inbox}
    every: 0s
    ready: {ready}
    after: {after}
    after_block: {after_block}
{flow}
    deliveries:
      - {{table: bibliographic, files: "bib_*", mode: {mode}}}
      - {{table: authority, files: "auth_*", mode: {mode}}}
      - {{table: item, files: "items_*", mode: {mode}}}
      - {{table: patron, files: "patrons_*", mode: {mode}}}
      - {{table: fee, files: "fees_*.csv", mode: delta}}
      - {{table: loan, files: "loans_*.csv", mode: delta, loans: history}}
      - {{table: item, files: "bøger_*", mode: {mode}}}
      - {{table: loan, files: "loans_*.zip", mode: delta, loans: history}}
      - {{table: loan, files: "loans_*.gz", mode: delta, loans: history}}
"""
DEFAULTS = {
    "language": "da",
    "status": "live",
    "partner": "",
    "overrides": "{}",
    "inbox": "file:inbox/havnsund",
    "ready": "{stable_for: 0s}",
    "after": "archive",
    "after_block": "continue",
    "flow": "",
    "mode": "delta",
}


def yaml(**settings: str) -> str:
    """The library's YAML."""
    return LIBRARY.format(**DEFAULTS | settings)


Make = Callable[..., House]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Make:
    """A library that the tests of a module share: what it delivers is delivered once."""

    def make(**settings: str) -> House:
        folder = tmp_path_factory.mktemp("library")
        made = House.build(folder, sqlite_ledger(folder / "ledger.db", migrated_file), ils, flow_models(), "havnsund")
        made.write(yaml(**settings))
        return made

    return make


@pytest.fixture
def library(tmp_path: Path, ledger: Ledger) -> House:
    """A Danish research library on Koha with a local inbox."""
    made = House.build(tmp_path, ledger, ils, flow_models(), "havnsund")
    made.write(yaml())
    return made


@pytest.fixture
def at(tmp_path: Path, ledger: Ledger) -> Make:
    """A library with other settings, or reached by connections of its own."""

    def make(environment: dict[str, str] | None = None, **settings: str) -> House:
        made = House.build(tmp_path, ledger, ils, flow_models(), "havnsund", environment)
        made.write(yaml(**settings))
        return made

    return make
