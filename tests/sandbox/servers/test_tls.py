"""The stand-ins' certificates are trusted by clients that look at them strictly, as Python does from 3.13 on."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from include.sandbox.servers.tls import Certificates, certificates
from tests.connectors.circulation.sip2.certificates import certificate


def _said(trusted: Path, chain: Path, key: Path) -> bytes:
    """What a server with this certificate sends to a client that trusts one authority, strictly."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    client = ssl.create_default_context(cafile=str(trusted))
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            taken, _ = listening.accept()
            try:
                with server.wrap_socket(taken, server_side=True) as there:
                    there.sendall(b"hello")
            except OSError:
                taken.close()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with (
                socket.create_connection(listening.getsockname()) as plain,
                client.wrap_socket(plain, server_hostname="127.0.0.1") as here,
            ):
                return here.recv(5)
        finally:
            thread.join()


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificates(tmp_path)


def test_a_strict_client_trusts_them(made: Certificates) -> None:
    assert _said(made.authority, made.certificate, made.key) == b"hello"


def test_a_strict_client_trusts_those_of_the_kiosks(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "kiosk")
    assert _said(chain, chain, key) == b"hello"


def test_another_authority_is_not_trusted(made: Certificates, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _said(certificates(tmp_path / "other").authority, made.certificate, made.key)
