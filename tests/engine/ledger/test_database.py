"""The ledger's connection: durable transactions, one moment for readers, errors in plain words."""

from __future__ import annotations

import threading
import traceback
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.engine.errors import SettingsError, UnknownDelivery, Unreachable, WrongState
from include.engine.ledger import Ledger, audit, database, deliveries, receipts
from include.engine.ledger.schema import audit as audit_table
from tests.engine.ledger.conftest import MakeDelivery


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.begin() as tx:
        audit.record(ledger, "anne", "replay", "x", tx=tx)
        raise RuntimeError("the process dies here")
    assert audit.find(ledger) == []


def test_a_reader_sees_one_moment_while_a_writer_goes_on(ledger: Ledger) -> None:
    with ledger.read() as before:
        assert audit.find(ledger, tx=before) == []
        audit.record(ledger, "anne", "replay", "x")
        assert audit.find(ledger, tx=before) == []
    assert len(audit.find(ledger)) == 1


def test_a_reader_does_not_wait_for_an_open_write(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        audit.record(ledger, "anne", "replay", "x", tx=tx)
        assert audit.find(ledger) == []


def test_a_ledger_that_is_kept_open_commits_as_ever_and_its_log_is_closed_at_the_end(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.kept_open():
        audit.record(ledger, "anne", "replay", "x")
        assert len(audit.find(ledger)) == 1
        assert (tmp_path / "ledger.db-wal").exists() == ledger.sqlite
    assert not (tmp_path / "ledger.db-wal").exists()
    assert len(audit.find(ledger)) == 1


def test_a_server_that_is_not_there_any_more_is_given_up_after_a_minute(ledger: Ledger) -> None:
    if ledger.sqlite:
        pytest.skip("a file is there or not")
    with ledger.read() as tx:
        said = tx.connection.dbapi_connection.info.dsn_parameters
    names = ("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
    assert [said[name] for name in names] == ["30", "10", "3", "60000"]


def test_a_read_transaction_of_postgresql_cannot_write(ledger: Ledger) -> None:
    if ledger.sqlite:
        pytest.skip("SQLite has no read-only transactions")
    with pytest.raises(sa.exc.DBAPIError), ledger.read() as tx:
        audit.record(ledger, "anne", "replay", "x", tx=tx)


def test_many_writers_stand_in_line_and_none_is_refused(ledger: Ledger) -> None:
    def write(name: int) -> None:
        for number in range(25):
            with ledger.begin() as tx:
                known = tx.execute(sa.select(sa.func.count()).select_from(audit_table)).scalar_one()
                audit.record(ledger, f"writer {name}", "wrote", str(number), {"known": known}, tx=tx)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(audit.find(ledger, limit=1000)) == 200


def test_times_come_back_aware_in_utc_whatever_zone_they_had(ledger: Ledger, new: MakeDelivery) -> None:
    at = datetime(2026, 3, 29, 2, 30, 15, 123456, tzinfo=timezone(timedelta(hours=-4)))
    found = deliveries.see(ledger, new(seen_at=at)).seen_at
    assert found == at
    assert found.tzinfo is UTC


def test_a_naive_time_is_refused(ledger: Ledger, new: MakeDelivery) -> None:
    with pytest.raises(sa.exc.StatementError, match="aware"):
        deliveries.see(ledger, new(id="x", seen_at=datetime(2026, 1, 1)))


def test_an_error_of_a_statement_does_not_show_its_values(ledger: Ledger) -> None:
    with pytest.raises(WrongState, match="refuses a row") as caught, ledger.begin() as tx:
        tx.execute(sa.insert(audit_table).values(who="2512489996", action=None))
    assert "2512489996" not in "".join(traceback.format_exception(caught.value))


def test_a_row_of_a_delivery_that_is_not_there_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UnknownDelivery):
        receipts.add(ledger, "nobody", "html", "file:receipt.html", "da")


def test_the_password_of_an_address_is_not_shown() -> None:
    ledger = Ledger("postgresql+psycopg2://bindery:very-secret@nowhere.invalid/bindery")
    assert "very-secret" not in repr(ledger)


def test_a_server_that_does_not_answer_is_unreachable_and_its_password_stays_unsaid(tmp_path: Path) -> None:
    ledger = Ledger(f"postgresql+psycopg2://bindery:very-secret@/bindery?host={tmp_path}")
    with pytest.raises(Unreachable, match="did not answer") as caught, ledger.read():
        pass
    assert "very-secret" not in str(caught.value)


def test_a_locked_file_is_unreachable_after_the_wait(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    impatient = Ledger(f"sqlite:///{tmp_path / 'a.db'}")
    impatient.migrate()
    with impatient.begin(), pytest.raises(Unreachable, match="locked"), impatient.begin():
        pass


def test_a_file_that_another_program_keeps_locked_cannot_be_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    ledger = Ledger(f"sqlite:///{tmp_path / 'a.db'}")
    with ledger.begin() as tx:
        tx.execute(sa.text("CREATE TABLE other (x)"))
        with pytest.raises(Unreachable, match="stays locked"):
            ledger.migrate()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db"])
def test_a_ledger_must_be_a_file_or_a_postgresql_server(url: str) -> None:
    with pytest.raises(SettingsError):
        Ledger(url)


def test_a_relative_file_stays_where_it_is_when_the_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    ledger = Ledger("sqlite:///new/folder/ledger.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    ledger.migrate()
    assert (tmp_path / "new/folder/ledger.db").exists()


def test_sqlite_is_durable_and_logs_ahead(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    with ledger.begin() as tx:
        found = {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
