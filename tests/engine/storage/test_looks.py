"""Many folders looked into at once, of which some lie on a mount that does not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from include.engine.errors import Unreachable
from include.engine.storage.filesystem import Store
from include.engine.storage.local import LocalDrive
from include.engine.storage.looks import look_into
from include.engine.storage.seen import Entry
from include.engine.storage.uri import parse

GIVE_UP = 60.0
"""Seconds after which a test would rather fail than hang."""


@dataclass(frozen=True)
class Hung(LocalDrive):
    """A folder on a mount whose server is gone: a call into it comes back only when `freed` is set."""

    freed: threading.Event = field(default_factory=threading.Event)

    def entries(self, folder: str) -> Iterator[Entry]:
        self.freed.wait(GIVE_UP)
        return super().entries(folder)


@dataclass(frozen=True)
class Noticed(LocalDrive):
    """A folder whose reading sets `read`."""

    read: threading.Event = field(default_factory=threading.Event)

    def entries(self, folder: str) -> Iterator[Entry]:
        self.read.set()
        return super().entries(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x.csv").write_bytes(b"x")
    return tmp_path


def store(drive: LocalDrive) -> Store:
    return Store(parse(f"file://{drive.root}"), drive)


@pytest.mark.parametrize("hung", [1, 20])
def test_a_folder_on_a_mount_that_hangs_is_left_behind_and_those_after_it_are_read(folder: Path, hung: int) -> None:
    read = threading.Event()
    stores = {f"hung {number}": store(Hung(folder, freed=read)) for number in range(hung)}
    stores |= {"after": store(Noticed(folder, read=read))}
    looks = look_into(stores, seconds=2 * GIVE_UP, stall=0.01)
    assert list(looks) == list(stores)
    for look in looks.values():  # those that hung were freed by the reading of the one that came behind all of them
        assert isinstance(look, list) and [seen.path for seen in look] == ["x.csv"]
    assert read.is_set()


def test_a_folder_that_hangs_for_good_is_late_and_those_after_it_are_not(folder: Path) -> None:
    freed = threading.Event()
    stores = {"hung": store(Hung(folder, freed=freed)), "after": store(LocalDrive(folder))}
    try:
        looks = look_into(stores, seconds=5, stall=0.01)
    finally:
        freed.set()
    assert isinstance(looks["hung"], Unreachable) and looks["hung"].code == "STORE_TIMEOUT"
    assert isinstance(looks["after"], list)


def test_folders_that_answer_are_read_by_one_thread(folder: Path) -> None:
    threads: set[int] = set()

    @dataclass(frozen=True)
    class Told(LocalDrive):
        def entries(self, folder: str) -> Iterator[Entry]:
            threads.add(threading.get_ident())
            return super().entries(folder)

    looks = look_into({str(number): store(Told(folder)) for number in range(30)}, seconds=GIVE_UP, stall=GIVE_UP)
    assert len(looks) == 30 and len(threads) == 1
