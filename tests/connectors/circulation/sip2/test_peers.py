"""Two independent implementations understand us: the codec of pysip2, and the client of Sip2 in a conversation."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysip2
import pytest
from Sip2.sip2 import Sip2

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.sip2.codec import parse, write
from connectors.circulation.sip2.framing import opened
from connectors.circulation.terminals import Terminal
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import PASSWORD, Raw, Running, running, terminals
from tests.connectors.circulation.sip2.certificates import certificate
from tests.connectors.circulation.sip2.test_codec import GOLDEN


@pytest.mark.parametrize("line", GOLDEN.values(), ids=GOLDEN)
def test_pysip2_reads_what_we_write_and_we_what_it_writes(line: str) -> None:
    theirs = pysip2.decode_message(line.encode() + b"\r")
    sent = pysip2.encode_message(theirs.message, sequence_number=3, checksum=True)
    framed = opened(sent.strip(b"\r\n"))
    assert framed.intact and framed.sequence == (None if line in ("96", "97") else "3")
    ours, back = parse(line), parse(framed.body.decode())
    assert back.fixed == ours.fixed
    extension = {"CR", "CS", "CT", "CV", "CY", "DA", "WS", "PA", "PB", "PC", "PI"}  # pysip2 does not know them
    for code in ours.fields.keys() - extension:
        assert back.every(code) == ours.every(code), code


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[ssl.SSLContext]:
    certificate(tmp_path, "kiosk-certificate")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "kiosk-certificate.pem"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(*certificate(tmp_path, "localhost"))
    yield context


def _their_client(server: Running, *, tls: bool) -> Any:
    client = Sip2()
    client.hostName, client.hostPort = "localhost" if tls else "127.0.0.1", server.port
    client.tlsEnable, client.tlsAcceptSelfsigned = tls, True
    client.AO, client.withSeq, client.withCrc = "lindeby", True, True
    client.connect()
    return client


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated")
@pytest.mark.parametrize("over", ["tcp", "tls"])
def test_the_client_of_sip2_has_a_conversation(
    library: Embedded, clock: Clock, tls: ssl.SSLContext, over: str, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # it writes a log where it stands
    with running(library, now=clock, tls=tls if over == "tls" else None) as server:
        client = _their_client(server, tls=over == "tls")
        login = client.sip_login_response(client.get_response(client.sip_login_request("kiosk1", "secret")))
        assert login["fixed"]["Ok"] == "1"
        status = client.sip_sc_status_response(client.get_response(client.sip_sc_status_request()))
        assert status["fixed"]["OnlineStatus"] == "Y"
        client.patron, client.patronpwd = "c1", "1234"
        lent = client.sip_checkout_response(client.get_response(client.sip_checkout_request("b1")))
        assert (lent["fixed"]["Ok"], lent["variable"]["AJ"][0]) == ("1", "One book")
        told = client.sip_patron_information_response(client.get_response(client.sip_patron_information_request("charged")))
        assert told["variable"]["AU"] == ["b1"]
        back = client.sip_checkin_response(client.get_response(client.sip_checkin_request("b1", currentLocation="main")))
        assert back["fixed"]["Ok"] == "1"
        client.disconnect()
    assert list(library.store.rows("loan")) == []


def test_a_client_s_certificate_stands_for_its_login(library: Embedded, clock: Clock, tls: ssl.SSLContext, tmp_path: Path) -> None:
    known = terminals(certified=Terminal(password=PASSWORD, certificate="kiosk-certificate", connections=1))
    with running(library, now=clock, tls=tls, known=known) as server:
        machine = ssl.create_default_context(cafile=str(tmp_path / "localhost.pem"))
        machine.load_cert_chain(tmp_path / "kiosk-certificate.pem", tmp_path / "kiosk-certificate.key")
        with Raw(server.port) as kiosk:
            kiosk.socket = machine.wrap_socket(kiosk.socket, server_hostname="localhost")
            assert "Reader One" in kiosk.ask(write("23", {}, {"AA": "c1", "AD": "1234"}))
            with Raw(server.port) as second:  # one too many has to log in, and may not
                second.socket = machine.wrap_socket(second.socket, server_hostname="localhost")
                assert second.ask("9300CNcertified|COsecret|") == "940"
                second.send(write("23", {}, {"AA": "c1"}).encode() + b"\r")
                assert second.read() == b""
        assert server.house.metrics.registry.get_sample_value(
            "sip2_messages_total", {"terminal": "certified", "message": "23", "status": "ok"}
        )


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(library: Embedded, tls: ssl.SSLContext) -> None:
    with running(library, tls=tls) as server, Raw(server.port) as kiosk:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(kiosk.socket)
