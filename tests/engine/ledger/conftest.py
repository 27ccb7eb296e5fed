"""Every test of the ledger runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from include.engine.delivery import NewDelivery, delivery_id
from include.engine.ledger import Ledger
from include.engine.ledger.schema import metadata
from tests.conftest import sqlite_ledger

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
MakeDelivery = Callable[..., NewDelivery]


@pytest.fixture(scope="session")
def postgres_ledger(postgres_url: str) -> Ledger:
    ledger = Ledger(postgres_url)
    ledger.migrate()
    return ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> Iterator[Ledger]:
    """An empty ledger on each database. (PostgreSQL: one database, emptied before each test.)"""
    if request.param == "sqlite":
        yield sqlite_ledger(tmp_path / "ledger.db", migrated_file)
        return
    ledger = request.getfixturevalue("postgres_ledger")
    with ledger.begin() as tx:
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        tx.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    yield ledger


@pytest.fixture
def new() -> MakeDelivery:
    """Deliveries of aarhus' loans, each a minute after the other; keywords change what they say."""
    made = 0

    def make(**values: Any) -> NewDelivery:
        nonlocal made
        made += 1
        usual = {"partner": "aarhus", "flow": "ils_import", "table": "loan", "seen_at": START + timedelta(minutes=made)}
        values = usual | {"path": f"loans_{made:04}.csv", "size": 10, "mtime_ns": made} | values
        if "id" not in values:
            at, place = values["seen_at"], values["table"] or values["flow"]
            values["id"] = delivery_id(values["partner"], place, at, values["path"], values["size"], values["mtime_ns"], salt=str(made))
        return NewDelivery(**values)

    return make
