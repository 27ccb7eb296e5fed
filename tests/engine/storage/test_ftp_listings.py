"""FTP servers that have no MLSD (vsftpd, old ones) list as `ls -l` does: their inboxes are inboxes too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.errors import Unreachable
from include.engine.storage.filesystem import Store, open_store
from include.engine.storage.fsspec_drive import _entry
from include.engine.storage.landing import land, open_landed
from include.engine.storage.local import LocalDrive
from include.engine.storage.looks import look_into
from include.engine.storage.seen import Entry
from include.engine.storage.uri import Location
from include.sandbox.servers.ports import HOST, free_port, wait_until_open

NOW = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)
OLD = """
import sys
from pyftpdlib import __main__, handlers
for name in ("MLSD", "MLST"):
    del handlers.FTPHandler.proto_cmds[name]
__main__.main(sys.argv[1:])
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Store]:
    pytest.importorskip("pyftpdlib", reason="pyftpdlib is not installed")
    port = free_port()
    command = [sys.executable, "-c", OLD, "-i", HOST, "-p", str(port), "-w", "-d", str(tmp_path), "-u", "u", "-P", "p"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_until_open(port)
        with open_store("ftp://inbox/", EnvironmentCredentials({"AIRFLOW_CONN_INBOX": f"ftp://u:p@{HOST}:{port}"})) as store:
            yield store
    finally:
        process.terminate()
        process.wait()


def test_an_inbox_on_a_server_without_mlsd_is_listed_and_delivered_from(inbox: Store, tmp_path: Path) -> None:
    (tmp_path / "loans 1.csv").write_bytes(b"a;b")
    (tmp_path / "old.csv").write_bytes(b"c")
    os.utime(tmp_path / "old.csv", (1_500_000_000, 1_500_000_000))
    (tmp_path / "link.csv").symlink_to(tmp_path / "old.csv")
    (tmp_path / "archive").mkdir()
    found = {seen.path: seen for seen in inbox.list()}
    assert {path: (seen.size, seen.refused) for path, seen in found.items() if not seen.refused} == {
        "loans 1.csv": (3, None),
        "old.csv": (1, None),
    }
    assert found["link.csv"].refused == "FILE_IS_LINK"
    assert found["old.csv"].mtime_ns == datetime(2017, 7, 14, tzinfo=UTC).timestamp() * 1e9
    assert inbox.stat("loans 1.csv") == found["loans 1.csv"]
    keys = MemoryKeyStore()
    landed = land(inbox, "loans 1.csv", root=tmp_path / "home", key=keys.create("delivery", "d"), expect=found["loans 1.csv"])
    assert open_landed(landed, keys).read() == b"a;b"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20261121101203", datetime(2026, 11, 21, 10, 12, 3, tzinfo=UTC)),
        ("20261121101203.123", datetime(2026, 11, 21, 10, 12, 3, tzinfo=UTC)),
        ("Nov 21 10:12", datetime(2026, 11, 21, 10, 12, tzinfo=UTC)),
        ("Jan 15 23:00", datetime(2027, 1, 15, 23, 0, tzinfo=UTC)),  # its clock is ahead of ours
        ("jan  2 03:04", datetime(2027, 1, 2, 3, 4, tzinfo=UTC)),
        ("Feb 29 10:00", datetime(2024, 2, 29, 10, 0, tzinfo=UTC)),
        ("Nov 21 2019", datetime(2019, 11, 21, tzinfo=UTC)),
        ("21 nov 2019", None),
        ("Feb 30 10:00", None),
    ],
)
def test_a_listings_time_is_read_as_servers_write_it(text: str, moment: datetime | None) -> None:
    with time_machine.travel(NOW, tick=False):
        entry = _entry({"name": "/in/x.csv", "type": "file", "size": 3, "modify": text})
    assert entry == Entry("x.csv", "file", 3, 0 if moment is None else round(moment.timestamp()) * 10**9)


@dataclass(frozen=True)
class _Broken(LocalDrive):
    def entries(self, folder: str) -> Iterator[Entry]:
        raise ValueError("a name that no library expects")


@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_a_drive_that_breaks_costs_no_other_inbox_a_wait(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "x.csv").write_bytes(b"x")
    stores = {
        "broken": Store(Location(scheme, "inbox", ""), _Broken(tmp_path)),
        "good": Store(Location(scheme, "inbox", ""), LocalDrive(tmp_path)),
    }
    found = look_into(stores, seconds=60, at_once=1)
    assert isinstance(broken := found["broken"], Unreachable) and "ValueError" in str(broken)
    assert [seen.path for seen in found["good"]] == ["x.csv"]  # type: ignore[union-attr]
