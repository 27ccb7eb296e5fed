"""Inboxes on real SFTP, SMB and FTP servers behave alike, tell their faults, and never keep anybody waiting for ever."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.storage.check import check
from include.engine.storage.drive import Timeouts
from include.engine.storage.filesystem import open_store
from include.engine.storage.landing import land, open_landed
from include.sandbox.servers.ports import HOST, free_port, wait_until_open
from include.sandbox.servers.sftp import sftp_server
from include.sandbox.servers.smb import SmbServer
from tests.engine.storage.remote import SHORT, Place, code_of, forked, within


def place(kind: str, stack: ExitStack, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if kind == "sftp":
        server = stack.enter_context(sftp_server(tmp_path))
        return Place(tmp_path, "sftp://inbox/", server.connection_uri, server)
    if kind == "smb":
        shared: SmbServer = request.getfixturevalue("smb")
        folder = shared.folder / "in"
        folder.mkdir()
        stack.callback(shutil.rmtree, folder)
        return Place(folder, "smb://inbox/deliveries/in", shared.connection_uri)
    pytest.importorskip("pyftpdlib", reason="pyftpdlib is not installed")
    port = free_port()
    command = [sys.executable, "-m", "pyftpdlib", "-i", HOST, "-p", str(port), "-w", "-d", str(tmp_path), "-u", "u", "-P", "p"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    assert wait_until_open(port)
    return Place(tmp_path, "ftp://inbox/", f"ftp://u:p@{HOST}:{port}")


@pytest.fixture(params=["sftp", "smb", "ftp"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield place(request.param, stack, request, tmp_path)


def test_files_are_listed_read_written_renamed_and_deleted(inbox: Place) -> None:
    data = os.urandom(5_000_000)
    (inbox.folder / "lån.csv").write_bytes(data)
    os.utime(inbox.folder / "lån.csv", (1_500_000_000, 1_500_000_000))
    (inbox.folder / "x.part").write_bytes(b"x")
    for name in ("archive", "sub"):
        (inbox.folder / name).mkdir()
        (inbox.folder / name / "y.csv").write_bytes(b"y")
    with inbox.store() as store:
        seen = store.list()
        assert [(found.path, found.size, found.mtime_ns) for found in seen] == [("lån.csv", 5_000_000, 1_500_000_000 * 10**9)]
        assert store.stat("lån.csv") == seen[0]
        assert [found.path for found in store.list("*.csv", recursive=True)] == ["lån.csv", "sub/y.csv"]
        with store.open_read("lån.csv") as file:
            assert file.read(10) == data[:10]
            assert file.read() == data[10:]
        assert store.put("out/deep/z.csv", iter([data, b"end"])) == 5_000_003
        assert (inbox.folder / "out/deep/z.csv").read_bytes() == data + b"end"
        assert store.put("out/deep/z.csv", b"new") == 3, "replaces what was there"
        assert [path.name for path in (inbox.folder / "out/deep").iterdir()] == ["z.csv"]
        store.rename("out/deep/z.csv", "archive/2026-11/z.csv")
        assert (inbox.folder / "archive/2026-11/z.csv").read_bytes() == b"new"
        assert code_of(lambda: store.rename("lån.csv", "archive/2026-11/z.csv")) == "FILE_NAME_TAKEN"
        store.rename("lån.csv", "archive/2026-11/z.csv", overwrite=True)
        store.delete("archive/2026-11/z.csv")
        store.delete("archive/2026-11/z.csv")
        assert not store.exists("archive/2026-11/z.csv") and store.exists("sub/y.csv")
        assert code_of(lambda: store.open_read("gone.csv")) == "FILE_GONE"
        assert code_of(lambda: store.stat("gone.csv")) == "FILE_GONE"
        assert code_of(lambda: store.open_read("sub")) == "FILE_NOT_REGULAR"
        assert code_of(lambda: store.put("../out.csv", b"")) == "FILE_NAME_UNSAFE"


def test_a_remote_file_lands_as_it_is(inbox: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    data, keys = os.urandom(9_000_001), MemoryKeyStore()
    (inbox.folder / "bib.mrc").write_bytes(data)
    with inbox.store() as store:
        landed = land(store, "bib.mrc", root=tmp_path_factory.mktemp("landing"), key=keys.ensure("delivery", "d"), expect=store.list()[0])
    with open_landed(landed, keys) as file:
        assert file.read() == data


def test_checking_a_partner_goes_through_all_steps_and_leaves_nothing(inbox: Place) -> None:
    (inbox.folder / "x.csv").write_bytes(b"x")
    assert [(line.step, line.ok) for line in check(inbox.store())] == [
        (step, True) for step in ("list", "read", "write", "rename", "delete")
    ]
    assert [path.name for path in inbox.folder.iterdir()] == ["x.csv"]


def test_a_wrong_password_is_told_and_not_shown(inbox: Place) -> None:
    inbox.connection_uri = inbox.connection_uri.replace("sandbox-only", "wrong-one").replace("u:p@", "u:wrong-one@")
    lines = check(inbox.store())
    assert len(lines) == 1 and lines[0].code == "STORE_LOGIN_REFUSED" and "wrong-one" not in lines[0].detail


def test_a_folder_that_is_not_there_is_told(inbox: Place) -> None:
    inbox.uri = f"{inbox.uri.rstrip('/')}/none"
    with inbox.store() as store:
        assert code_of(store.list) == "INBOX_MISSING"


def test_a_server_that_is_not_there_is_unreachable_at_once(inbox: Place) -> None:
    port = free_port()
    scheme = inbox.connection_uri.split(":")[0]
    store = Place(inbox.folder, inbox.uri, f"{scheme}://u:p@{HOST}:{port}/?no_host_key_check=true").store(Timeouts(60, 60))
    assert within(30, store.list) == "UNREACHABLE"


@pytest.mark.parametrize("uri", ["sftp://inbox/", "smb://inbox/share", "ftp://inbox/"])
def test_a_server_that_accepts_and_says_nothing_is_left_after_the_time_out(uri: str) -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        silent.listen()
        connection = f"sftp://u:p@{HOST}:{silent.getsockname()[1]}/?no_host_key_check=true"
        store = open_store(uri, EnvironmentCredentials({"AIRFLOW_CONN_INBOX": connection}), timeouts=SHORT)
        assert within(40, store.list) in {"STORE_TIMEOUT", "UNREACHABLE"}


def test_a_connection_is_usable_again_after_it_was_lost_and_after_it_was_closed(inbox: Place) -> None:
    (inbox.folder / "x.csv").write_bytes(b"x")
    store = inbox.store()
    assert store.list()
    store.close()
    assert store.list()
    store.close()
    store.close()


def test_threads_may_share_a_store(inbox: Place) -> None:
    for number in range(4):
        (inbox.folder / f"{number}.csv").write_bytes(bytes([number]) * 3_000_000)
    with inbox.store() as store:
        found: dict[int, bytes] = {}

        def read(number: int) -> None:
            with store.open_read(f"{number}.csv") as file:
                found[number] = file.read()

        threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {number: set(data) for number, data in found.items()} == {number: {number} for number in range(4)}


def test_a_forked_child_opens_its_own_connection(inbox: Place) -> None:
    (inbox.folder / "x.csv").write_bytes(b"x" * 100_000)
    with inbox.store() as store:
        assert store.list()
        assert forked(lambda: len(store.open_read("x.csv").read()) == 100_000 and len(store.list()) == 1)
        assert store.list(), "the parent's own goes on"
