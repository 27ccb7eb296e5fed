"""Wrapped keys: kept until destroyed, and then out of the database's own files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from include.engine import clock
from include.engine.errors import Unreachable, WrongState
from include.engine.ledger import Ledger, database, keys
from include.engine.ledger.schema import key as key_table

WRAPPED = b"wrapped key of delivery one: 0123456789abcdef"


def test_a_key_is_found_by_what_it_is_for_until_it_is_destroyed(ledger: Ledger) -> None:
    keys.add(ledger, "k1", "delivery", "d1", WRAPPED)
    keys.add(ledger, "k2", "lake", "aarhus", b"other")
    assert [row.key_id for row in keys.find(ledger, purpose="delivery", subject="d1")] == ["k1"]
    assert [row.key_id for row in keys.find(ledger)] == ["k1", "k2"]
    assert keys.find(ledger, created_before=clock.now() - timedelta(days=1)) == []
    assert keys.destroy(ledger, "k1", "retention: 30 days")
    assert keys.find(ledger, purpose="delivery") == []
    [dead] = keys.find(ledger, alive=False)
    assert (dead.wrapped, dead.why, dead.destroyed_at is not None) == (None, "retention: 30 days", True)
    assert len(keys.find(ledger, alive=None)) == 2
    assert keys.find(ledger, alive=False, why="erasure E1") == []
    assert [row.key_id for row in keys.find(ledger, alive=False, why="retention: 30 days")] == ["k1"]


def test_a_key_is_destroyed_once_and_the_first_reason_stays(ledger: Ledger) -> None:
    keys.add(ledger, "k1", "delivery", "d1", WRAPPED)
    keys.destroy(ledger, "k1", "erasure")
    assert not keys.destroy(ledger, "k1", "retention")
    assert not keys.destroy(ledger, "nobody's", "retention")
    assert (row := keys.get(ledger, "k1")) is not None and row.why == "erasure"
    assert keys.get(ledger, "nobody's") is None


def test_a_key_id_is_given_once(ledger: Ledger) -> None:
    keys.add(ledger, "k1", "delivery", "d1", WRAPPED)
    with pytest.raises(WrongState):
        keys.add(ledger, "k1", "delivery", "d2", b"other")


def test_a_row_does_not_show_its_key(ledger: Ledger) -> None:
    keys.add(ledger, "k1", "delivery", "d1", WRAPPED)
    assert "wrapped" not in repr(keys.get(ledger, "k1"))


def files_with(ledger: Ledger, secret: bytes, tmp_path: Path) -> list[Path]:
    """The database's own files in which `secret` can be read."""
    if ledger.sqlite:
        return [file for file in tmp_path.glob("ledger.db*") if secret in file.read_bytes()]
    with ledger.autocommit() as connection:
        connection.exec_driver_sql("CHECKPOINT")
        folder = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
        table = folder / connection.exec_driver_sql("SELECT pg_relation_filepath('\"key\"')").scalar_one()
    return [table] if secret in table.read_bytes() else []


def test_a_destroyed_key_leaves_the_files_of_the_database(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.read() as other_connection:  # on SQLite the last connection to close would empty the log by itself
        other_connection.execute(key_table.select())
        keys.add(ledger, "k1", "delivery", "d1", WRAPPED)
        assert files_with(ledger, WRAPPED, tmp_path)
    keys.add(ledger, "k2", "delivery", "d2", b"other")
    keys.destroy(ledger, "k1", "erasure")
    keys.scrub(ledger)
    assert files_with(ledger, WRAPPED, tmp_path) == []
    assert (row := keys.get(ledger, "k2")) is not None and row.wrapped == b"other"


def test_a_reader_in_the_way_of_the_scrub_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(keys, "_CHECKPOINT_SECONDS", 0.05)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    with ledger.read() as reader:
        reader.execute(key_table.select())
        keys.add(ledger, "k1", "delivery", "d1", WRAPPED)
        with pytest.raises(Unreachable, match="somebody reads"):
            keys.scrub(ledger)
