"""Records that were set aside stay readable, sealed and in their place, until they are erased one by one or all at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from include.engine import clock
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.crypto.ledger_keys import LedgerKeyStore
from include.engine.delivery import Delivery, NewDelivery
from include.engine.errors import KeyDestroyed, Tampered, Unreachable
from include.engine.ledger import deliveries
from include.engine.ledger.database import Ledger
from include.engine.quarantine import store
from include.engine.quarantine.schema import SET_ASIDE, conform, set_aside

ID = "lindeby__loan__20261121T0300__0a1b2c3d"


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    return deliveries.see(ledger, NewDelivery(ID, "lindeby", "ils_import", "loan", clock.now()))


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


def rows(count: int, start: int = 0) -> pa.Table:
    return set_aside(
        {"record": n, "reason": "LOAN_IN_FUTURE", "raw": f"loan {n};0101901234\r\n".encode()} for n in range(start, start + count)
    )


def test_what_is_kept_is_read_back_with_its_bytes(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    uri = store.keep(tmp_path, delivery, 3, rows(5), keys.create("delivery", ID))
    assert uri == f"file:quarantine/lindeby/{ID}/000003-gate.sealed"
    assert store.read(tmp_path, uri, keys) == rows(5)
    assert store.blobs(tmp_path, "lindeby", ID) == [uri]
    assert b"0101901234" not in b"".join(file.read_bytes() for file in (tmp_path / "quarantine").rglob("*.sealed"))


def test_several_tables_are_numbered_through_and_rows_are_found_by_number(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    uri = store.keep(tmp_path, delivery, 1, iter([rows(70_000), rows(3, 70_000)]), keys.create("delivery", ID))
    found = store.read(tmp_path, uri, keys, rows=[70_002, 0, 69_999, 0, 99_999_999])
    assert found.column("record").to_pylist() == [0, 69_999, 70_002]
    assert store.read(tmp_path, uri, keys, rows=[]).num_rows == 0


def test_a_gates_rows_without_bytes_can_be_kept(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    uri = store.keep(tmp_path, delivery, 1, rows(2).drop_columns(["raw", "detail"]), keys.create("delivery", ID))
    assert store.read(tmp_path, uri, keys).column("raw").null_count == 2


def test_keeping_again_replaces_and_another_try_writes_elsewhere(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    key = keys.create("delivery", ID)
    first = store.keep(tmp_path, delivery, 1, rows(2), key)
    assert store.keep(tmp_path, delivery, 1, rows(3), key) == first
    assert store.read(tmp_path, first, keys).num_rows == 3
    assert store.keep(tmp_path, delivery, 2, rows(1), key) != first
    assert store.keep(tmp_path, delivery, 1, rows(1), key, step="receive") != first


def test_a_failed_write_leaves_nothing(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    def broken() -> object:
        yield rows(1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.keep(tmp_path, delivery, 1, broken(), keys.create("delivery", ID))  # type: ignore[arg-type]
    assert [file for file in (tmp_path / "quarantine").rglob("*") if file.is_file()] == []


def test_a_file_in_another_ones_place_is_refused(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    key = keys.create("delivery", ID)
    one, other = store.keep(tmp_path, delivery, 1, rows(1), key), store.keep(tmp_path, delivery, 2, rows(2), key)
    (tmp_path / other.removeprefix("file:")).replace(tmp_path / one.removeprefix("file:"))
    with pytest.raises(Tampered, match="000001-gate"):
        store.read(tmp_path, one, keys)
    with pytest.raises(Unreachable, match="no longer kept"):
        store.read(tmp_path, other, keys)


def test_erased_rows_are_emptied_in_their_place_and_the_others_outlive_the_old_key(
    tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore
) -> None:
    old = keys.create("delivery", ID)
    uri = store.keep(tmp_path, delivery, 1, iter([rows(3), rows(3, 3)]), old)
    new = keys.create("quarantine", ID)
    store.reseal(tmp_path, uri, keys, new, erase=[1, 4])
    keys.destroy(old.key_id, why="erasure")
    found = store.read(tmp_path, uri, keys)
    assert found.column("record").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert [raw is None for raw in found.column("raw").to_pylist()] == [False, True, False, False, True, False]
    assert found.column("detail").null_count == 6


def test_after_its_key_is_destroyed_nothing_is_readable(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    key = keys.create("delivery", ID)
    uri = store.keep(tmp_path, delivery, 1, rows(1), key)
    keys.destroy(key.key_id, why="retention")
    with pytest.raises(KeyDestroyed):
        store.read(tmp_path, uri, keys)


def test_a_file_is_discarded_once(tmp_path: Path, delivery: Delivery, keys: MemoryKeyStore) -> None:
    uri = store.keep(tmp_path, delivery, 1, rows(1), keys.create("delivery", ID))
    assert store.discard(tmp_path, uri)
    assert not store.discard(tmp_path, uri)
    assert store.blobs(tmp_path, "lindeby", ID) == []


def test_it_works_with_the_ledgers_own_keys(tmp_path: Path, delivery: Delivery) -> None:
    keys = LedgerKeyStore(Ledger(f"sqlite:///{tmp_path}/ledger.db"), bytes(32))
    uri = store.keep(tmp_path, delivery, 1, rows(2), keys.ensure("delivery", ID))
    assert store.read(tmp_path, uri, keys) == rows(2)


def test_the_schema_fills_in_what_a_reader_does_not_know() -> None:
    [row] = set_aside([{"reason": "LOAN_IN_FUTURE"}]).to_pylist()
    assert (row["member"], row["record"], row["offset"], row["length"], row["raw"]) == ("", 0, 0, -1, None)
    assert conform(set_aside([{"reason": "X"}]).select(["length", "reason", "offset", "record", "member"])).schema == SET_ASIDE
