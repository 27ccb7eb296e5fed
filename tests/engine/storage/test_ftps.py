"""An FTP server over TLS is told a login only once it has proved who it is."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.engine.credentials import Connection
from include.engine.errors import SettingsError
from include.engine.storage.drive import Timeouts
from include.engine.storage.filesystem import Store
from include.engine.storage.fsspec_drive import ftp_drive
from include.engine.storage.uri import Location
from include.sandbox.servers.ports import HOST
from include.sandbox.servers.tls import Certificates, certificates
from tests.engine.storage.remote import code_of

ANSWERS = {"AUTH": "234 go on", "USER": "331 and the password", "PASS": "530 no"}


class Server:
    """As much of an FTP server as a login takes (RFC 4217): it keeps what it is told, and lets nobody in."""

    def __init__(self, made: Certificates) -> None:
        self.told: list[str] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.certificate, made.key)
        self._listening = socket.create_server((HOST, 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        line, _ = self._listening.accept()
        line.settimeout(60)
        line.sendall(b"220 hello\r\n")
        try:
            while not self.told or not self.told[-1].startswith("PASS"):
                command = line.recv(4096).decode().strip()
                self.told.append(command)
                line.sendall(f"{ANSWERS.get(command[:4], '502 no such command')}\r\n".encode())
                if command == "AUTH TLS":
                    line = self._context.wrap_socket(line, server_side=True)
        except OSError:  # the client has hung up
            return
        finally:
            line.close()

    def close(self) -> None:
        self._listening.close()
        self._thread.join(60)


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificates(tmp_path)


@pytest.fixture
def server(made: Certificates) -> Iterator[Server]:
    found = Server(made)
    yield found
    found.close()


def looked_into(server: Server, **extra: object) -> str:
    connection = Connection("inbox", "ftp", HOST, server.port, "bindery", "sandbox-only", extra={"tls": True, **extra})
    store = Store(Location("ftp", "inbox", ""), ftp_drive(connection, "", Timeouts(10.0, 10.0)))
    try:
        return code_of(store.list)
    finally:
        store.close()


def test_a_server_that_nobody_vouches_for_is_told_no_login(server: Server) -> None:
    assert looked_into(server) == "STORE_HOST_KEY_CHANGED"
    assert server.told == ["AUTH TLS"]


@pytest.mark.parametrize("trusting", ["its authority", "anybody"])
def test_a_server_that_is_trusted_is_told_the_login(server: Server, made: Certificates, trusting: str) -> None:
    extra = {"ca": made.authority.read_text()} if trusting == "its authority" else {"no_certificate_check": True}
    assert looked_into(server, **extra) == "STORE_LOGIN_REFUSED"
    assert server.told == ["AUTH TLS", "USER bindery", "PASS sandbox-only"]


def test_an_authority_that_cannot_be_read_is_named_at_once(server: Server) -> None:
    with pytest.raises(SettingsError, match="ca of the connection inbox"):
        looked_into(server, ca="sandbox")
    socket.create_connection((HOST, server.port)).close()
