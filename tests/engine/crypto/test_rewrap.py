"""A change of the master key: cut off anywhere it goes on, tasks run beside it, and nothing that was made under the old one changes."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pyarrow as pa
import pytest
import sqlalchemy as sa

from include.engine.crypto import __main__ as command
from include.engine.crypto import rewrap as module
from include.engine.crypto.keys import DataKey
from include.engine.crypto.ledger_keys import LedgerKeyStore
from include.engine.crypto.master import Master
from include.engine.crypto.rewrap import rewrap, standing
from include.engine.errors import KeyDestroyed, SettingsError, Tampered
from include.engine.ledger import audit, master_keys
from include.engine.ledger import keys as rows
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import key as table
from include.engine.privacy.pseudonym import Pseudonyms
from tests.engine.crypto.test_ledger_keys import every_byte

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
NEW_NAME = Master(NEW).fingerprint


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(module, "BATCH", 5)
    ledger = Ledger(f"sqlite:///{tmp_path}/home/ledger.db")
    ledger.migrate()
    return ledger


def both(ledger: Ledger) -> LedgerKeyStore:
    """A process that was given both master keys."""
    return LedgerKeyStore(ledger, OLD, lambda: NEW)


def connections(**keys: bytes) -> dict[str, str]:
    return {
        f"AIRFLOW_CONN_BINDERY_{name.upper()}": json.dumps({"conn_type": "generic", "password": base64.b64encode(key).decode()})
        for name, key in keys.items()
    }


def test_every_key_comes_out_the_same_under_the_new_master_key_alone(ledger: Ledger) -> None:
    keys = LedgerKeyStore(ledger, OLD)
    made = [keys.create("delivery", str(number)) for number in range(12)]
    gone = keys.create("delivery", "gone")
    keys.destroy(gone.key_id, why="retention")
    patron = Pseudonyms(keys, "lindeby", "lake").of(pa.array(["4711"]))
    done = rewrap(ledger, OLD, NEW, who="operator")
    assert (done.wrapped, done.already, done.unreadable) == (13, 0, ())
    after = LedgerKeyStore(ledger, NEW)
    assert [after.get(one.key_id) for one in made] == made
    assert Pseudonyms(after, "lindeby", "lake").of(pa.array(["4711"])).equals(patron)
    with pytest.raises(KeyDestroyed, match="retention"):
        after.get(gone.key_id)
    with pytest.raises(Tampered, match="crypto status"):
        keys.get(made[0].key_id)
    assert [entry.action for entry in audit.find(ledger, who="operator")] == ["master_key.changed", "master_key.change_begun"]
    assert rewrap(ledger, OLD, NEW, who="operator").already == 13
    assert len(audit.find(ledger, action="master_key.changed")) == 1


def test_what_the_old_master_key_wrapped_is_in_no_byte_of_the_ledgers_files(ledger: Ledger, tmp_path: Path) -> None:
    keys = LedgerKeyStore(ledger, OLD)
    for number in range(20):
        keys.create("delivery", str(number))
    before = [row.wrapped for row in rows.find(ledger)]
    rewrap(ledger, OLD, NEW, who="operator")
    everything = every_byte(tmp_path)
    assert not [wrapped for wrapped in before if wrapped is not None and wrapped[12:] in everything]


def many(ledger: Ledger, count: int) -> list[DataKey]:
    """Keys under the old master key, made in one transaction."""
    made = [DataKey(f"delivery-{number:06}", bytes([number % 256] * 32)) for number in range(count)]
    with ledger.begin() as tx:
        for one in made:
            rows.add(ledger, one.key_id, "delivery", one.key_id, Master(OLD).wrap(one, "delivery", one.key_id), tx=tx)
    return made


@pytest.mark.parametrize("point", ["rewrap.begun", "rewrap.batch:1"])
def test_killed_on_the_way_both_keys_open_everything_and_the_next_run_finishes(point: str, ledger: Ledger, tmp_path: Path) -> None:
    made = many(ledger, 700)
    home = str(tmp_path / "home")
    environment = {**os.environ, "BINDERY_HOME": home, "BINDERY_PARTNERS": home, **connections(master=OLD, master_next=NEW)}
    asked = [sys.executable, "-m", "include.engine.crypto", "rewrap", "--who", "operator"]
    killed = subprocess.run(asked, env={**environment, "BINDERY_DIE_AT": point}, timeout=120, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    expected = 0 if point == "rewrap.begun" else 500
    assert standing(ledger, NEW).keys == {name: count for name, count in ((NEW_NAME, expected), ("", 700 - expected)) if count}
    assert [both(ledger).get(one.key_id) for one in made[:3]] == made[:3]
    between = both(ledger).create("delivery", "made between")
    with pytest.raises(SettingsError, match="was changed"):
        LedgerKeyStore(ledger, OLD).create("delivery", "by one who was told nothing")
    again = subprocess.run(asked, env=environment, timeout=120, check=True, capture_output=True, text=True)
    assert f"{700 - expected:,} data keys wrapped anew, {expected + 1:,} were already" in again.stdout
    after = LedgerKeyStore(ledger, NEW)
    assert [after.get(one.key_id) for one in (*made[::50], between)] == [*made[::50], between]
    assert standing(ledger, NEW).keys == {NEW_NAME: 701}
    assert len(audit.find(ledger, action="master_key.changed")) == len(audit.find(ledger, action="master_key.change_begun")) == 1


def test_tasks_make_read_and_destroy_keys_meanwhile_and_lose_none(ledger: Ledger) -> None:
    keys, stop, made, troubles = LedgerKeyStore(ledger, OLD), Event(), list[str](), list[BaseException]()
    for number in range(60):
        keys.create("delivery", str(number))

    def task() -> None:
        try:
            number = 0
            while not stop.is_set() or number < 10:
                one = both(ledger).create("delivery", f"task {number}")
                assert both(ledger).get(one.key_id) == one
                if number % 3 == 0:
                    both(ledger).destroy(one.key_id, why="task")
                else:
                    made.append(one.key_id)
                number += 1
        except BaseException as error:
            troubles.append(error)

    thread = Thread(target=task)
    thread.start()
    rewrap(ledger, OLD, NEW, who="operator")
    stop.set()
    thread.join()
    assert troubles == []
    after = LedgerKeyStore(ledger, NEW)
    assert [after.get(key_id).key_id for key_id in made] == made
    assert len(rows.find(ledger)) == 60 + len(made)


def test_a_key_destroyed_between_reading_and_writing_stays_destroyed(ledger: Ledger) -> None:
    keys = LedgerKeyStore(ledger, OLD)
    made = keys.create("delivery", "a")
    row = rows.get(ledger, made.key_id)
    assert row is not None and row.wrapped is not None
    keys.destroy(made.key_id, why="erasure")
    with ledger.begin() as tx:
        assert not rows.rewrap(ledger, row, row.wrapped, tx=tx)
    with pytest.raises(KeyDestroyed):
        keys.get(made.key_id)


def test_an_altered_row_is_named_and_the_rest_goes_on(ledger: Ledger) -> None:
    keys = LedgerKeyStore(ledger, OLD)
    made = [keys.create("delivery", str(number)) for number in range(3)]
    with ledger.begin() as tx:
        tx.execute(sa.update(table).where(table.c.key_id == made[1].key_id).values(subject="another"))
    done = rewrap(ledger, OLD, NEW, who="operator")
    assert (done.wrapped, done.unreadable) == (2, (made[1].key_id,))


def test_keys_that_cannot_be_meant_are_refused_before_anything_is_changed(ledger: Ledger) -> None:
    LedgerKeyStore(ledger, OLD).create("delivery", "a")
    with pytest.raises(SettingsError, match="the same"):
        rewrap(ledger, OLD, OLD, who="operator")
    with pytest.raises(SettingsError, match="opens none"):
        rewrap(ledger, bytes(32), NEW, who="operator")
    assert master_keys.every(ledger) == []
    rewrap(ledger, OLD, NEW, who="operator")
    with pytest.raises(SettingsError, match="given up"):  # the two connections were put the wrong way round
        rewrap(ledger, NEW, OLD, who="operator")
    with pytest.raises(SettingsError, match="neither"):
        rewrap(ledger, bytes(32), OLD, who="operator")
    assert standing(ledger, NEW).keys == {NEW_NAME: 1}


def test_the_command_says_where_it_stands(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    LedgerKeyStore(ledger, OLD).create("delivery", "a")
    monkeypatch.setenv("BINDERY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BINDERY_LEDGER", raising=False)
    for name, value in connections(master=OLD).items():
        monkeypatch.setenv(name, value)
    assert command.main(["rewrap", "--who", "operator"]) == 1
    assert "bindery_master_next" in capsys.readouterr().err
    assert command.main(["status"]) == 0
    assert "opens 1 data keys\nthe master key was never changed" in capsys.readouterr().out
    for name, value in connections(master_next=NEW).items():
        monkeypatch.setenv(name, value)
    assert command.main(["rewrap", "--who", "operator"]) == 0
    assert command.main(["status"]) == 0
    said = capsys.readouterr().out
    assert f"{NEW_NAME} counts: the change to it is through" in said
    assert base64.b64encode(NEW).decode() not in said


def test_the_master_key_changes_in_postgresql_too(postgres_url: str) -> None:
    ledger = Ledger(postgres_url)
    ledger.migrate()
    with ledger.begin() as tx:
        tx.execute(sa.delete(table))
    made = LedgerKeyStore(ledger, OLD).create("delivery", "of the tests of the master key")
    try:
        assert rewrap(ledger, OLD, NEW, who="operator").wrapped == 1
        assert LedgerKeyStore(ledger, NEW).get(made.key_id) == made
    finally:
        with ledger.begin() as tx:
            tx.execute(sa.text("DELETE FROM master_key"))
            tx.execute(sa.delete(table))
