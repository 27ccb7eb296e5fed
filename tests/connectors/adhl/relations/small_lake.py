"""Lakes of a handful of loans, and a house around them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.adhl.relations.house import CONTRACTS, INPUTS, House
from connectors.adhl.relations.settings import Settings
from include.engine.contract.loading import load
from include.engine.crypto.keys import KeyStore, MemoryKeyStore
from include.engine.lake.source import ArrowSource

Loan = tuple[str, str]
"""(patron, control number)."""


def pseudonym(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    schema = pa.schema([("partner", pa.string()), *INPUTS[name]])
    return pa.Table.from_pylist([{"partner": "lindeby", **row} for row in rows], schema=schema)


def loan(patron: str | None, number: str | None, **more: Any) -> dict[str, Any]:
    """One row of the lake's loan table: a home loan of 14 March 2026 whose title the loan itself names."""
    return {
        "event": "loan",
        "kind": "home",
        "patron": pseudonym(patron) if patron else None,
        "control_number": number,
        "loaned_on": date(2026, 3, 14),
        **more,
    }


def title(number: str, **more: Any) -> dict[str, Any]:
    return {"control_number": number, "title": f"Title {number}", "responsibility": f"Writer of {number}", **more}


def house(
    home: Path,
    loans: Iterable[Mapping[str, Any]],
    *,
    keys: KeyStore | None = None,
    version: int = 1,
    settings: Settings | None = None,
    **tables: Iterable[Mapping[str, Any]],
) -> House:
    """A house whose lake has these loans and these rows of other tables."""
    found = {"loan": table("loan", loans), **{name: table(name, rows) for name, rows in tables.items()}}
    return House(
        home,
        ArrowSource(INPUTS, found, dict.fromkeys(found, version)),
        keys or MemoryKeyStore(),
        {name: load(f"adhl_{name}") for name in CONTRACTS},
        {"lindeby": "870970-basis", "havnsund": "899002-katalog"},
        settings or Settings(memory="256MB", threads=1, lock_wait_s=30.0),
    )


def relations(folder: Path) -> dict[tuple[str, str], int]:
    """Lokalids of each released pair -> its level."""
    pid = pq.read_table(folder / "title")["pid"].to_pylist()
    rows = pq.read_table(folder / "relation").to_pylist()
    return {(_number(pid[row["title_id"]]), _number(pid[row["related_id"]])): row["level"] for row in rows}


def _number(pid: str) -> str:
    return str(pid).partition(":")[2]


def counted(loans: Iterable[Loan]) -> dict[tuple[str, str], int]:
    """The slow and plain way: patrons of each pair of titles."""
    of_patron: dict[str, set[str]] = {}
    for patron, number in loans:
        of_patron.setdefault(patron, set()).add(number)
    found: dict[tuple[str, str], int] = {}
    for numbers in of_patron.values():
        for pair in combinations(sorted(numbers), 2):
            found[pair] = found.get(pair, 0) + 1
    return found


def readers(number: int, *titles: str, first: int = 0) -> list[dict[str, Any]]:
    """`number` patrons who each borrowed all of `titles`."""
    return [loan(f"reader {first + reader}", one) for reader in range(number) for one in titles]
