"""An SFTP server with faults: one that hangs, drops, is full or read-only, and one that shows another key."""

from __future__ import annotations

import os
import time
from pathlib import Path

import asyncssh
import pytest

from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.errors import BinderyError, SettingsError
from include.engine.storage.check import check
from include.engine.storage.drive import Timeouts
from include.engine.storage.filesystem import Store, open_store
from include.engine.storage.landing import land
from include.engine.storage.looks import look_into
from include.sandbox.servers.sftp import SftpServer, sftp_server
from tests.engine.storage.remote import code_of, within


def sftp_store(server: SftpServer, timeouts: Timeouts | None = None, **extra: str) -> Store:
    uri = server.connection_uri
    for name, value in extra.items():
        uri = uri.split("?")[0] + f"?{name}={value}" if name != "add" else uri + value
    return open_store("sftp://inbox/", EnvironmentCredentials({"AIRFLOW_CONN_INBOX": uri}), timeouts=timeouts)


def test_an_inbox_that_hangs_is_given_up_and_another_is_not_delayed(sftp: SftpServer, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"x" * 20_000_000)
    for fault in ("hang_login", "hang_list"):
        sftp.faults = {fault}
        assert within(40, sftp_store(sftp, Timeouts(2, 1)).list) == "STORE_TIMEOUT"
    sftp.faults = {"hang_read"}
    store = sftp_store(sftp, Timeouts(30, 3))
    with store.open_read("x.csv") as file:
        assert within(40, file.read) == "STORE_TIMEOUT"
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
        assert time.monotonic() - started < 25, "less than the one that is stuck may take"
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
