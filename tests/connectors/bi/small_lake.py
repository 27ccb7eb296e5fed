"""A lake of a handful of rows for two libraries, with one row of each thing that a star can stumble over."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from connectors.bi.house import House, Library, Settings
from connectors.bi.source import INPUTS
from connectors.bi.tables import TABLES
from include.engine.contract.loading import load
from include.engine.lake.source import ArrowSource


class Keys:
    """Pseudonyms under a fixed key for one partner, as include/engine/privacy/pseudonym.py makes them."""

    def __init__(self, partner: str) -> None:
        self.key_id = f"k-bi-{partner}"

    def of(self, values: pa.Array) -> pa.Array:
        digests = [hmac.new(self.key_id.encode(), value.encode(), hashlib.sha256).hexdigest()[:32] for value in values.to_pylist()]
        return pa.array(digests, pa.string())


def pseudonym(name: str) -> str:
    """What the lake would call the patron `name`."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Lake rows; what a row does not say is null."""
    schema = pa.schema([("partner", pa.string()), *INPUTS[name]])
    return pa.Table.from_pylist([{"partner": "lindeby", **row} for row in rows], schema=schema)


def loan(loan_id: str, event: str = "loan", **more: Any) -> dict[str, Any]:
    """One row of the lake's loan table: a home loan of 14 March 2026 at branch hb."""
    return {
        "loan_id": loan_id,
        "event": event,
        "kind": "home",
        "loaned_on": date(2026, 3, 14),
        "renewals": 0,
        "lending_branch": "hb",
        "patron": pseudonym("ada"),
        "item_id": "i1",
        **more,
    }


def small_tables() -> dict[str, pa.Table]:
    """The handful of rows."""
    return {
        "bibliographic": table(
            "bibliographic",
            [
                {"control_number": "100", "agency": "DK-799001", "title": "Vinterens bog", "material_type": "book", "year": 2019}
                | {"contributors": ["Made Up", "Also Made"], "isbn": ["9788700000000"], "subjects": ["vinter"]},
                {"control_number": "200", "agency": "DK-799001", "title": "Sange", "material_type": "music"},
                {"control_number": "200", "agency": "870970", "title": "Sange, national post", "material_type": "music"},
                {"partner": "molendal", "control_number": "100", "agency": "BE-MLD01", "title": "Winterboek", "material_type": "book"},
            ],
        ),
        "item": table(
            "item",
            [
                {"item_id": "i1", "barcode": "b1", "control_number": "100", "agency": "DK-799001", "branch": "hb", "status": "available"},
                {"item_id": "i2", "barcode": "b2", "control_number": "200", "agency": "DK-799001", "branch": "nord", "status": "on_loan"},
                {"item_id": "i3", "control_number": "100", "branch": " ", "status": "unknown", "placeholder": True},
                {"partner": "molendal", "item_id": "i1", "control_number": "100", "agency": "BE-MLD01", "branch": "hb"},
            ],
        ),
        "patron": table(
            "patron",
            [
                {"patron": pseudonym("ada"), "birth_year": 1950, "municipality": "0751", "category": "voksen", "home_library": "hb"},
                {"patron": pseudonym("bo"), "birth_year": 2015, "municipality": "0751", "protected": True, "home_library": "nord"},
                {"patron": pseudonym("old ada"), "merged_into": pseudonym("ada"), "birth_year": 1950},
                {"patron": pseudonym("gone"), "deleted": True, "birth_year": 1960},
                {"patron": pseudonym("school"), "institution": True},
                {"partner": "molendal", "patron": pseudonym("ada"), "birth_year": 1999, "category": "volwassen"},
            ],
        ),
        "patron_alias": table("patron_alias", [{"alias": pseudonym("card of old ada"), "patron": pseudonym("old ada")}]),
        "loan": table(
            "loan",
            [
                loan("h1", returned_on=date(2026, 4, 11), returning_branch="nord", renewals=2, patron=None),  # a history's row
                loan("o1", item_id="i2", patron=pseudonym("bo")),  # still open
                loan("e1", item_id=None, barcode="b2", patron=pseudonym("card of old ada")),  # events of one loan
                loan("e1", "renewal", renewals=1, happened_at=datetime(2026, 3, 31, 22, 30, tzinfo=UTC)),  # 1 April in Copenhagen
                loan("e1", "return", returned_on=date(2026, 4, 20), returning_branch="hb"),
                loan("x1", item_id="never seen", control_number="900", patron=pseudonym("stranger"), kind="interlibrary"),
                loan("x2", "return", item_id=None, control_number="100", lending_branch=None),  # a return that does not say when
                {**loan("h1", item_id="i1", patron=pseudonym("ada"), loaned_on=date(2025, 12, 31)), "partner": "molendal"},
            ],
        ),
    }


LIBRARIES = {"lindeby": Library("Lindeby Biblioteker", "Europe/Copenhagen", {"hb": "Hovedbiblioteket"})}


def contracts() -> dict[str, Any]:
    return {name: load(f"bi_{name}") for name in TABLES}


def small_house(home: Path, tables: Mapping[str, pa.Table] | None = None, version: int = 1, **settings: Any) -> House:
    """A house around the handful of rows, or around `tables`."""
    found = small_tables() if tables is None else tables
    return House(
        home=home,
        source=ArrowSource(INPUTS, found, dict.fromkeys(found, version)),
        pseudonyms=Keys,
        contracts=contracts(),
        today=date(2026, 11, 21),
        libraries=LIBRARIES,
        settings=replace(Settings(memory="256MB", threads=1, lock_wait_s=30.0), **settings),
    )


def rows(folder: Path, name: str) -> pa.Table:
    """A table of the snapshot in `folder` as an analyst reads it."""
    return duckdb.sql(f"SELECT * FROM read_parquet('{folder}/{name}/**/*.parquet', hive_partitioning = true)").to_arrow_table()


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """The answer to `query`, in which {fact_loan} and the like stand for a table of the snapshot."""
    names = {name: f"read_parquet('{folder}/{name}/**/*.parquet', hive_partitioning = true)" for name in TABLES}
    return duckdb.sql(query.format(**names)).fetchall()
