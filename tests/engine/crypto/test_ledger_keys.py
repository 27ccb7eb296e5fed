"""Data keys in the ledger: wrapped, found again, and gone for good once destroyed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.engine.crypto.ledger_keys import LedgerKeyStore
from include.engine.errors import KeyDestroyed, Tampered
from include.engine.ledger import keys as rows
from include.engine.ledger.database import Ledger
from include.engine.ledger.schema import key as table

MASTER = bytes(range(32))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    return ledger


@pytest.fixture
def keys(ledger: Ledger) -> LedgerKeyStore:
    return LedgerKeyStore(ledger, MASTER)


def every_byte(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_a_key_comes_back_in_another_process(keys: LedgerKeyStore, ledger: Ledger) -> None:
    made = keys.create("delivery", "lindeby__loan__20261121T0300__0a1b2c3d")
    assert LedgerKeyStore(Ledger(ledger.url), MASTER).get(made.key_id) == made
    assert keys.find("delivery", "lindeby__loan__20261121T0300__0a1b2c3d") == [made.key_id]
    assert keys.find("delivery", "another") == []


def test_no_secret_lies_in_the_ledger_as_it_is(keys: LedgerKeyStore, tmp_path: Path) -> None:
    made = keys.create("delivery", "a")
    assert made.secret not in every_byte(tmp_path)


def test_a_destroyed_key_is_in_no_byte_of_the_ledgers_files(keys: LedgerKeyStore, ledger: Ledger, tmp_path: Path) -> None:
    for number in range(20):
        keys.create("delivery", f"other {number}")
    made = keys.create("delivery", "a")
    row = rows.get(ledger, made.key_id)
    assert row is not None and row.wrapped is not None
    assert row.wrapped in every_byte(tmp_path)
    keys.destroy(made.key_id, why="erasure of a subject")
    assert row.wrapped[12:] not in every_byte(tmp_path)
    with pytest.raises(KeyDestroyed, match="erasure of a subject"):
        keys.get(made.key_id)
    assert keys.find("delivery", "a") == []


def test_destroying_again_keeps_the_first_reason(keys: LedgerKeyStore) -> None:
    made = keys.create("delivery", "a")
    keys.destroy(made.key_id, why="first")
    keys.destroy(made.key_id, why="second")
    with pytest.raises(KeyDestroyed, match="first"):
        keys.get(made.key_id)


def test_when_one_of_many_is_unknown_none_is_destroyed(keys: LedgerKeyStore) -> None:
    made = keys.create("delivery", "a")
    with pytest.raises(Tampered, match="delivery-404"):
        keys.destroy_all([made.key_id, "delivery-404"], why="x")
    assert keys.get(made.key_id) == made


def test_a_destroyed_subject_gets_a_new_key(keys: LedgerKeyStore) -> None:
    first = keys.ensure("pseudonym-lake", "lindeby/1")
    assert keys.ensure("pseudonym-lake", "lindeby/1") == first
    keys.destroy(first.key_id, why="epoch over")
    assert keys.ensure("pseudonym-lake", "lindeby/1").secret != first.secret


def test_callers_at_once_get_one_and_the_same_key(keys: LedgerKeyStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: keys.ensure("pseudonym-lake", "lindeby/1").secret, range(24)))) == 1


def test_another_master_key_opens_nothing(keys: LedgerKeyStore, ledger: Ledger) -> None:
    made = keys.create("delivery", "a")
    with pytest.raises(Tampered, match="master key"):
        LedgerKeyStore(ledger, bytes(32)).get(made.key_id)
    with pytest.raises(ValueError, match="32 bytes"):
        LedgerKeyStore(ledger, b"short")


def test_a_row_cannot_be_passed_off_as_another_subjects(keys: LedgerKeyStore, ledger: Ledger) -> None:
    made = keys.create("delivery", "a")
    with ledger.begin() as tx:
        tx.execute(sa.update(table).values(subject="b"))
    with pytest.raises(Tampered):
        keys.get(made.key_id)
    with pytest.raises(Tampered, match="delivery-404"):
        keys.get("delivery-404")


def test_keys_live_and_die_in_postgresql_too(postgres_url: str) -> None:
    ledger = Ledger(postgres_url)
    ledger.migrate()
    keys = LedgerKeyStore(ledger, MASTER)
    made = keys.ensure("delivery", "lindeby__loan__of_the_crypto_tests")
    assert keys.ensure("delivery", "lindeby__loan__of_the_crypto_tests") == made == keys.get(made.key_id)
    keys.destroy(made.key_id, why="retention")
    with pytest.raises(KeyDestroyed, match="retention"):
        keys.get(made.key_id)
