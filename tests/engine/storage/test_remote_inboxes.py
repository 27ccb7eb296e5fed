"""Inboxes on real SFTP, SMB, FTP and S3 servers behave alike, tell their faults, and never keep anybody waiting for ever."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest
import smbclient

from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.errors import BinderyError, SettingsError
from include.engine.storage.check import check
from include.engine.storage.drive import Timeouts
from include.engine.storage.filesystem import Store, open_store
from include.engine.storage.landing import land, open_landed
from include.engine.storage.looks import look_into
from include.sandbox.servers.ports import HOST, free_port, wait_until_open
from include.sandbox.servers.sftp import SftpServer, sftp_server
from include.sandbox.servers.smb import SmbServer, available, smb_server

SHORT = Timeouts(connect=1.0, answer=1.0)


@dataclass
class Place:
    """A server's folder and the store that reaches it from outside."""

    folder: Path
    uri: str
    connection_uri: str
    server: object = None
    extra: dict[str, str] = field(default_factory=dict)

    def store(self, timeouts: Timeouts | None = None) -> Store:
        return open_store(self.uri, EnvironmentCredentials({"AIRFLOW_CONN_INBOX": self.connection_uri}), timeouts=timeouts)


@pytest.fixture(scope="module")
def smb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmbServer]:
    found, why = available()
    if not found:
        pytest.skip(why)
    with smb_server(tmp_path_factory.mktemp("smb")) as server:
        yield server


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpServer]:
    with sftp_server(tmp_path) as server:
        yield server


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


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(BinderyError) as caught:
        work()
    assert "sandbox-only" not in str(caught.value)
    return caught.value.code


def within(seconds: float, work: Callable[[], object]) -> str:
    started = time.monotonic()
    code = code_of(work)
    assert time.monotonic() - started < seconds
    return code


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
    store = Place(inbox.folder, inbox.uri, f"{scheme}://u:p@{HOST}:{port}/?no_host_key_check=true").store(SHORT)
    assert within(5, store.list) == "UNREACHABLE"


@pytest.mark.parametrize("uri", ["sftp://inbox/", "smb://inbox/share", "ftp://inbox/"])
def test_a_server_that_accepts_and_says_nothing_is_left_after_the_time_out(uri: str) -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        silent.listen()
        connection = f"sftp://u:p@{HOST}:{silent.getsockname()[1]}/?no_host_key_check=true"
        store = open_store(uri, EnvironmentCredentials({"AIRFLOW_CONN_INBOX": connection}), timeouts=SHORT)
        assert within(8, store.list) in {"STORE_TIMEOUT", "UNREACHABLE"}


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
            thread.join(20)
    assert {number: set(data) for number, data in found.items()} == {number: {number} for number in range(4)}


def test_a_forked_child_opens_its_own_connection(inbox: Place) -> None:
    (inbox.folder / "x.csv").write_bytes(b"x" * 100_000)
    with inbox.store() as store:
        assert store.list()
        assert forked(lambda: len(store.open_read("x.csv").read()) == 100_000 and len(store.list()) == 1)
        assert store.list(), "the parent's own goes on"


def forked(work: Callable[[], bool]) -> bool:
    """What `work` says in a forked child, as an Airflow task is one."""
    child = os.fork()
    if child == 0:
        fine = False
        try:
            fine = work()
        finally:
            os._exit(0 if fine else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# SFTP alone: a server with faults


def sftp_store(server: SftpServer, timeouts: Timeouts | None = None, **extra: str) -> Store:
    uri = server.connection_uri
    for name, value in extra.items():
        uri = uri.split("?")[0] + f"?{name}={value}" if name != "add" else uri + value
    return open_store("sftp://inbox/", EnvironmentCredentials({"AIRFLOW_CONN_INBOX": uri}), timeouts=timeouts)


def test_an_inbox_that_hangs_is_given_up_and_another_is_not_delayed(sftp: SftpServer, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"x" * 20_000_000)
    for fault in ("hang_login", "hang_list"):
        sftp.faults = {fault}
        assert within(8, sftp_store(sftp, Timeouts(2, 1)).list) == "STORE_TIMEOUT"
    sftp.faults = {"hang_read"}
    store = sftp_store(sftp, Timeouts(5, 2))
    with store.open_read("x.csv") as file:
        assert within(8, file.read) == "STORE_TIMEOUT"
    sftp.faults = set()
    assert store.list(), "the same store connects anew"
    store.close()


def test_a_connection_that_drops_while_reading_is_unreachable_and_nothing_lands(sftp: SftpServer, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"x" * 20_000_000)
    sftp.faults = {"drop_read"}
    key = MemoryKeyStore().create("delivery", "d")
    root = tmp_path / "landing"
    with sftp_store(sftp) as store:
        assert code_of(lambda: land(store, "x.csv", root=root, key=key)) == "UNREACHABLE"
    assert list(root.iterdir()) == []


def test_a_read_only_inbox_is_listed_and_read_and_says_so_when_written(sftp: SftpServer, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"x")
    sftp.faults = {"read_only"}
    with sftp_store(sftp) as store:
        assert store.list() and store.open_read("x.csv").read() == b"x"
        for work in (lambda: store.put("y", b"y"), lambda: store.rename("x.csv", "archive/x.csv"), lambda: store.delete("x.csv")):
            assert code_of(work) == "INBOX_READ_ONLY"
        lines = check(store)
    assert [(line.step, line.ok, line.code) for line in lines][2:] == [("write", False, "INBOX_READ_ONLY")]


def test_a_full_disk_is_told_and_the_half_file_taken_away(sftp: SftpServer, tmp_path: Path) -> None:
    sftp.faults = {"disk_full"}
    with sftp_store(sftp) as store:
        assert code_of(lambda: store.put("y.csv", b"y" * 100)) == "STORE_FULL"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_rename_over_a_file_still_gets_the_new_one(sftp: SftpServer, tmp_path: Path) -> None:
    sftp.faults = {"no_posix_rename"}
    with sftp_store(sftp) as store:
        store.put("y.csv", b"old")
        store.put("y.csv", b"new")
    assert (tmp_path / "y.csv").read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


def test_links_and_pipes_on_a_server_are_refused_without_waiting(sftp: SftpServer, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(b"x")
    (tmp_path / "link.csv").symlink_to("good.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("two\nlines.csv", os.fsdecode(b"latin\xe5.csv")):
        (tmp_path / name).write_bytes(b"x")
    with sftp_store(sftp) as store:
        assert {seen.path: seen.refused for seen in store.list()} == {
            "good.csv": None,
            "link.csv": "FILE_IS_LINK",
            "pipe.csv": "FILE_NOT_REGULAR",
            "two\nlines.csv": "FILE_NAME_UNSAFE",
            "latin\\udce5.csv": "FILE_NAME_UNSAFE",
        }
        assert code_of(lambda: store.open_read("link.csv")) == "FILE_IS_LINK"
        assert code_of(lambda: store.open_read("pipe.csv")) == "FILE_NOT_REGULAR"


def test_only_the_pinned_host_key_is_accepted(sftp: SftpServer, tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[1]
    assert code_of(sftp_store(sftp, host_key=other.replace("+", "%2B")).list) == "STORE_HOST_KEY_CHANGED"
    bare = sftp.host_key.split()[1].replace("+", "%2B")
    with sftp_store(sftp, host_key=bare) as store:
        assert store.list() == []
    with sftp_store(sftp, host_key=f"{other.replace('+', '%2B')}%0A{bare}") as store:
        assert store.list() == [], "several keys may be pinned while one is replaced"
    with sftp_store(sftp, no_host_key_check="true") as store:
        assert store.list() == []


@pytest.mark.parametrize(
    ("extra", "words"),
    [({"nothing": "x"}, "no host_key"), ({"host_key": "rubbish"}, "cannot be read"), ({"host_key": "AAAA"}, "cannot be read")],
)
def test_without_a_usable_host_key_nothing_is_connected_to(sftp: SftpServer, extra: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        sftp_store(sftp, **extra)


def test_a_private_key_that_cannot_be_read_is_told_without_showing_it(sftp: SftpServer, tmp_path: Path) -> None:
    for add in ("&private_key=geheim", f"&key_file={tmp_path}/none"):
        with pytest.raises(SettingsError, match="private key") as caught:
            sftp_store(sftp, add=add)
        assert "geheim" not in str(caught.value)


def test_of_many_inboxes_those_that_hang_delay_no_other(tmp_path: Path) -> None:
    good, local = tmp_path / "good", tmp_path / "local"
    for folder in (good, local):
        folder.mkdir()
        (folder / "x.csv").write_bytes(b"x")
    with sftp_server(good) as fine, sftp_server(good, faults={"hang_list"}) as slow, sftp_server(good, faults={"hang_login"}) as stuck:
        stores = {
            "local": open_store(f"file://{local}"),
            "none": open_store(f"file://{tmp_path}/none"),
            "slow": sftp_store(slow, Timeouts(5, 1)),
            "stuck": sftp_store(stuck, Timeouts(30, 30)),
            "fine": sftp_store(fine, Timeouts(5, 5)),
            "later": sftp_store(fine, Timeouts(5, 5)),
        }
        started = time.monotonic()
        looks = look_into(stores, seconds=5, at_once=2)
        assert time.monotonic() - started < 8
    assert list(looks) == list(stores)
    codes = {name: look.code if isinstance(look, BinderyError) else [seen.path for seen in look] for name, look in looks.items()}
    assert codes == {
        "local": ["x.csv"],
        "none": "INBOX_MISSING",
        "slow": "STORE_TIMEOUT",
        "stuck": "STORE_TIMEOUT",
        "fine": ["x.csv"],
        "later": ["x.csv"],
    }
    assert look_into({}, seconds=1) == {}


# SMB alone


def test_a_file_that_its_writer_holds_open_is_busy_and_readable_once_it_is_closed(smb: SmbServer) -> None:
    uri = {"AIRFLOW_CONN_INBOX": smb.connection_uri}
    session = {"username": smb.login, "password": smb.password, "port": smb.port, "connection_cache": {}}
    writer = smbclient.open_file(rf"\\{HOST}\{smb.share}\open.csv", "wb", share_access="rwd", **session)
    with open_store("smb://inbox/deliveries", EnvironmentCredentials(uri)) as store:
        writer.write(b"half")
        assert code_of(lambda: store.open_read("open.csv")) == "FILE_IN_USE"
        writer.close()
        assert store.open_read("open.csv").read() == b"half"
        store.delete("open.csv")
    smbclient.reset_connection_cache(connection_cache=session["connection_cache"])


def test_an_smb_server_that_stops_answering_is_given_up_and_found_again(tmp_path: Path) -> None:
    found, why = available()
    if not found:
        pytest.skip(why)
    with smb_server(tmp_path) as server:
        tmp_path.joinpath("x.csv").write_bytes(b"x")
        with relay(server.port) as (port, stalled):
            uri = server.connection_uri.replace(f":{server.port}/", f":{port}/")
            store = open_store("smb://inbox/deliveries", EnvironmentCredentials({"AIRFLOW_CONN_INBOX": uri}), timeouts=Timeouts(5, 2))
            assert store.list()
            stalled.set()
            assert within(8, store.list) == "STORE_TIMEOUT"
            stalled.clear()
            assert store.list()
            store.close()


class relay:
    """Passes bytes between a client and a server's port, until told to stall."""

    def __init__(self, port: int) -> None:
        self._target, self._stalled = port, threading.Event()

    def __enter__(self) -> tuple[int, threading.Event]:
        self._listening = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self._listening.getsockname()[1], self._stalled

    def __exit__(self, *error: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self._target))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                while self._stalled.is_set():
                    time.sleep(0.05)
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()


# S3


def test_a_bucket_takes_lists_and_gives_back_files() -> None:
    program = shutil.which("moto_server", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("moto_server is not installed: no S3 server here")
    port = free_port()
    process = subprocess.Popen([program, "-H", HOST, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_until_open(port, 20)
        bucket_round_trip(f"http://{HOST}:{port}")
    finally:
        process.terminate()
        process.wait()


def bucket_round_trip(endpoint: str) -> None:
    uri = f"aws://key:secret@/?endpoint_url={endpoint}&region_name=eu-north-1"
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="eu-north-1", aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    keys = MemoryKeyStore()
    credentials = EnvironmentCredentials({"AIRFLOW_CONN_INBOX": uri})
    with open_store("s3://inbox/bucket/in", credentials) as store:
        assert store.list() == []
        data = os.urandom(6_000_000)
        assert store.put("a/x.csv", iter([data, b"end"])) == 6_000_003
        assert [seen.path for seen in store.list(recursive=True)] == ["a/x.csv"]
        with store.open_read("a/x.csv") as file:
            assert file.read() == data + b"end"
        store.rename("a/x.csv", "archive/x.csv")
        assert not store.exists("a/x.csv") and store.exists("archive/x.csv")
        assert code_of(lambda: store.open_read("gone")) == "FILE_GONE"
        landed = land(store, "archive/x.csv", root=open_store("s3://inbox/bucket/landing", credentials), key=keys.ensure("delivery", "d"))
        with open_landed(landed, keys, credentials=credentials) as file:
            file.seek(5)
            assert file.read(10) == data[5:15]
        assert forked(lambda: store.exists("archive/x.csv"))
        store.delete("archive/x.csv")
        assert store.list(recursive=True) == []
        assert [line.ok for line in check(store)] == [True] * 5
