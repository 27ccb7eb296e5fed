"""What a partner delivered is kept byte for byte, sealed, or refused with its reason; a file that changes is never taken for whole."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from include.engine.crypto.keys import DataKey, MemoryKeyStore
from include.engine.errors import BinderyError, KeyDestroyed, Tampered
from include.engine.storage.filesystem import Store, open_store
from include.engine.storage.landing import Landed, land, open_landed
from include.engine.storage.local import LocalDrive
from include.engine.storage.seen import Entry


@dataclass(frozen=True)
class Meddled(LocalDrive):
    """The real folder; `meddle` happens to the file once its first block was read."""

    meddle: Callable[[], None] = lambda: None

    def open_read(self, path: str) -> BinaryIO:
        file = super().open_read(path)
        first = file.read(1)
        self.meddle()
        file.seek(0)
        assert first
        return file


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def store(inbox: Path) -> Store:
    return open_store(f"file://{inbox}")


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def key(keys: MemoryKeyStore) -> DataKey:
    return keys.ensure("delivery", "d1")


def refused(work: Callable[[], object], root: Path) -> str:
    with pytest.raises(BinderyError) as caught:
        work()
    assert not root.exists() or not list(root.iterdir()), "nothing is left behind"
    return caught.value.code


def test_landed_bytes_are_sealed_named_by_their_content_and_read_back_whole(
    inbox: Path, store: Store, tmp_path: Path, keys: MemoryKeyStore, key: DataKey
) -> None:
    data = os.urandom(3_000_000) + b"0101019999"
    (inbox / "patrons.csv").write_bytes(data)
    landed = land(store, "patrons.csv", root=tmp_path / "landing", key=key, expect=store.list()[0])
    digest = hashlib.sha256(data).hexdigest()
    assert landed == Landed(f"file://{tmp_path}/landing/{digest[:16]}.sealed", f"sha256:{digest}", len(data), landed.sealed_size)
    kept = (tmp_path / "landing" / f"{digest[:16]}.sealed").read_bytes()
    assert len(kept) == landed.sealed_size and b"0101019999" not in kept
    with open_landed(landed, keys) as file:
        assert file.read() == data
    with open_landed(landed.uri, keys) as file:
        file.seek(-10, os.SEEK_END)
        assert file.read() == b"0101019999"
    assert (inbox / "patrons.csv").read_bytes() == data, "the partner's file stays as it is"


def test_landing_twice_gives_the_same_file_and_the_same_bytes_under_another_name_the_same_hash(
    inbox: Path, store: Store, tmp_path: Path, keys: MemoryKeyStore, key: DataKey
) -> None:
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_bytes(b"same")
    landings = [land(store, name, root=tmp_path / "landing", key=key) for name in ("a.csv", "a.csv", "b.csv")]
    assert len(set(landings)) == 1 and len(list((tmp_path / "landing").iterdir())) == 1
    (inbox / "a.csv").write_bytes(b"diff")
    assert land(store, "a.csv", root=tmp_path / "landing", key=key).content_hash != landings[0].content_hash, "same name, new bytes"


def test_a_root_under_home_gives_a_uri_that_moves_with_it(
    inbox: Path, store: Store, tmp_path: Path, keys: MemoryKeyStore, key: DataKey
) -> None:
    (inbox / "x").write_bytes(b"x")
    landed = land(store, "x", root=open_store("file:landing/p/d", home=tmp_path / "home"), key=key)
    assert landed.uri.startswith("file:landing/p/d/")
    (tmp_path / "home").rename(tmp_path / "moved")
    with open_landed(landed, keys, home=tmp_path / "moved") as file:
        assert file.read() == b"x"
    root = f"file://{tmp_path}/landing"
    assert land(store, "x", root=root, key=key).uri.startswith(root)


def test_an_empty_file_a_link_a_pipe_and_one_that_is_not_there_are_refused(inbox: Path, store: Store, tmp_path: Path, key: DataKey) -> None:
    (inbox / "empty.csv").touch()
    (inbox / "link.csv").symlink_to("/etc/hostname")
    os.mkfifo(inbox / "pipe.csv")
    (inbox / "large.csv").write_bytes(b"x" * 11)
    root = tmp_path / "landing"
    expected = {
        "empty.csv": "FILE_EMPTY",
        "link.csv": "FILE_IS_LINK",
        "pipe.csv": "FILE_NOT_REGULAR",
        "gone.csv": "FILE_GONE",
        "two\nlines.csv": "FILE_NAME_UNSAFE",
        "large.csv": "FILE_TOO_LARGE",
    }
    for name, code in expected.items():
        assert refused(lambda name=name: land(store, name, root=root, key=key, most_bytes=10), root) == code  # type: ignore[misc]


def test_a_file_that_is_not_what_was_claimed_is_refused(inbox: Path, store: Store, tmp_path: Path, key: DataKey) -> None:
    (inbox / "x.csv").write_bytes(b"one")
    claimed, root = store.stat("x.csv"), tmp_path / "landing"
    for now in (replace_seen(claimed, size=2), replace_seen(claimed, mtime_ns=5)):
        assert refused(lambda now=now: land(store, "x.csv", root=root, key=key, expect=now), root) == "FILE_CHANGED_IN_READ"  # type: ignore[misc]


def replace_seen(seen: object, **changes: int) -> object:
    return seen._replace(**changes)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("meddle", "code"),
    [
        (lambda file: file.open("ab").write(b"more") and None, "FILE_CHANGED_IN_READ"),
        (lambda file: os.truncate(file, 5), "FILE_TRUNCATED"),
        (lambda file: file.unlink(), "FILE_GONE"),
        (lambda file: os.utime(file, (1, 1)), "FILE_CHANGED_IN_READ"),
    ],
    ids=["growing", "truncated", "deleted", "touched"],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    inbox: Path, tmp_path: Path, key: DataKey, meddle: Callable[[Path], None], code: str
) -> None:
    (inbox / "x.csv").write_bytes(b"0123456789" * 100_000)
    drive = Meddled(inbox, meddle=lambda: meddle(inbox / "x.csv"))
    store, root = replace(open_store(f"file://{inbox}"), drive=drive), tmp_path / "landing"
    assert refused(lambda: land(store, "x.csv", root=root, key=key), root) == code


def test_a_file_that_grows_without_end_is_not_followed(inbox: Path, store: Store, tmp_path: Path, key: DataKey) -> None:
    class Endless(LocalDrive):
        def stat(self, path: str) -> Entry:
            return Entry(path, "file", 10, 0)

    endless, root = replace(store, drive=Endless(Path("/dev"))), tmp_path / "landing"
    assert refused(lambda: land(endless, "zero", root=root, key=key), root) == "FILE_NOT_REGULAR"
    (inbox / "grown").write_bytes(b"x" * 10_000_000)
    grown = replace(store, drive=Endless(inbox))
    assert refused(lambda: land(grown, "grown", root=root, key=key), root) == "FILE_CHANGED_IN_READ"


def test_a_huge_file_lands_in_bounded_memory(inbox: Path, store: Store, tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    with (inbox / "huge.csv").open("wb") as file:
        file.truncate(96 << 20)
    tracemalloc.start()
    try:
        landed = land(store, "huge.csv", root=tmp_path / "landing", key=key)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert landed.size == 96 << 20 and peak < 16 << 20


def test_a_destroyed_key_and_altered_bytes_are_refused(
    inbox: Path, store: Store, tmp_path: Path, keys: MemoryKeyStore, key: DataKey
) -> None:
    (inbox / "x").write_bytes(b"x" * 1000)
    landed = land(store, "x", root=tmp_path / "landing", key=key)
    file = next((tmp_path / "landing").iterdir())
    good = file.read_bytes()
    file.write_bytes(good[:-20])
    with pytest.raises(Tampered):
        open_landed(landed, keys)
    file.write_bytes(good)
    keys.destroy(key.key_id, why="retention")
    with pytest.raises(KeyDestroyed):
        open_landed(landed, keys)
