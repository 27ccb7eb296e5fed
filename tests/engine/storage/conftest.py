"""Servers for the tests of remote stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.sandbox.servers.sftp import SftpServer, sftp_server
from include.sandbox.servers.smb import SmbServer, available, smb_server


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
