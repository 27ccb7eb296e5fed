"""The migrations build what the schema says, from anywhere, by any number of processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from include.engine.delivery import NewDelivery
from include.engine.errors import SettingsError
from include.engine.ledger import Ledger, deliveries, inbox
from include.engine.ledger import migrations as migrations_package
from include.engine.ledger.__main__ import main as command
from include.engine.ledger.migrations.run import downgrade, upgrade
from include.engine.ledger.schema import HEAD, metadata

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger without tables."""
    if request.param == "sqlite":
        yield Ledger(f"sqlite:///{tmp_path / 'a 100% new ledger.db'}")
        return
    server = Ledger(request.getfixturevalue("postgres_url"))
    name = f"empty_{uuid4().hex[:8]}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield Ledger(sa.make_url(server.url).set(database=name).render_as_string(hide_password=False))
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrations_build_exactly_the_schema(empty: Ledger) -> None:
    empty.migrate()
    with empty.begin() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []


def test_migrating_again_changes_nothing(empty: Ledger) -> None:
    assert empty.revision() is None
    empty.migrate()
    empty.migrate()
    assert empty.revision() == HEAD


def test_the_newest_migration_is_the_one_that_the_schema_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations_package.__path__[0])))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_two_processes_may_migrate_at_once_from_any_folder(empty: Ledger, tmp_path: Path) -> None:
    program = "import sys; from include.engine.ledger import Ledger; input(); Ledger(sys.argv[1]).migrate()"
    start = [sys.executable, "-c", program, empty.url]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(start, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in running] == ["", "", ""]
    assert empty.revision() == HEAD


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(empty: Ledger) -> None:
    with empty.begin() as tx:
        tx.execute(sa.text("CREATE TABLE receipt (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="receipt"):
        empty.migrate()
    with empty.read() as tx:
        assert sa.inspect(tx).get_table_names() == ["receipt"]


def test_a_ledger_that_is_newer_than_the_program_is_refused(empty: Ledger) -> None:
    empty.migrate()
    with empty.begin() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="newer version"):
        empty.migrate()


def test_an_inbox_whose_connection_is_not_set_up_is_known_as_such_from_before(empty: Ledger) -> None:
    upgrade(empty, "0012")
    row = "INSERT INTO inbox_look (partner, flow, inbox, files, tried_at, failures, note) VALUES (:partner, 'f', 'i', 0, :at, 1, :note)"
    notes = {"almvik": "no connection almvik_inbox. [CREDENTIAL_MISSING]", "lindeby": "did not answer. [UNREACHABLE]"}
    with empty.begin() as tx:
        for partner, note in notes.items():
            tx.execute(sa.text(row), {"partner": partner, "at": "2026-11-22 06:00:00.000000", "note": note})
    empty.migrate()
    assert {one.partner: one.code for one in inbox.looks(empty)} == {"almvik": "CREDENTIAL_MISSING", "lindeby": None}


def test_a_column_that_goes_takes_no_delivery_with_it(empty: Ledger) -> None:
    empty.migrate()
    new = NewDelivery("lindeby__loan__1", "lindeby", "ils_import", "loan", datetime(2026, 11, 22, tzinfo=UTC))
    deliveries.see(empty, new)
    before = deliveries.get(empty, new.id), deliveries.events(empty, new.id)
    downgrade(empty, "0013")
    empty.migrate()
    assert (deliveries.get(empty, new.id), deliveries.events(empty, new.id)) == before


def test_the_first_tables_can_be_taken_back(empty: Ledger) -> None:
    empty.migrate()
    downgrade(empty, "base")
    with empty.read() as tx:
        assert sa.inspect(tx).get_table_names() == ["alembic_version"]


def test_who_asks_the_command_for_help_gets_help_and_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDERY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BINDERY_LEDGER", raising=False)
    for asked, status in (("--help", 0), ("downgrade", 2)):
        with pytest.raises(SystemExit) as ended:
            command([asked])
        assert ended.value.code == status
    assert not (tmp_path / "home").exists()
    (tmp_path / "home").mkdir()
    assert command([]) == 0 and (tmp_path / "home" / "ledger.db").exists()
