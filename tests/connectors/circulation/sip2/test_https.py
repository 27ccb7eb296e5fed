"""SIP2 over HTTPS, by the published schema, and plain machines behind the bridge to it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import yaml
from lxml import etree

from connectors.circulation.sip2.codec import parse
from connectors.circulation.sip2.framing import Framed
from connectors.circulation.sip2.framing import opened as line_of
from connectors.circulation.sip2.framing import sealed as framed
from connectors.circulation.sip2.https import Envelope, Unfit, opened, sealed
from include.engine.engine import ROOT
from tests.connectors.circulation.running import Raw
from tests.connectors.circulation.sip2.certificates import certificate
from tests.connectors.circulation.test_serving import LIBRARY, Serving, environment, run

SCHEMA = ROOT.parent / "shared" / "ground_truth" / "sip2_https_sip.xsd"
NOW = "20261120    130000"
PASSWORD = LIBRARY["terminals"]["terminals"]["k1"]["password"]
LEND = f"11NN{NOW}{' ' * 18}AO|AAc2|ABi001|AC|"


def _valid(body: bytes) -> None:
    if SCHEMA.exists():
        etree.XMLSchema(etree.parse(SCHEMA)).assertValid(etree.fromstring(body))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("https")


@pytest.fixture(scope="module")
def serving(place: Path) -> Iterator[Serving]:
    env, file = environment(place), place / "library.yaml"
    file.write_text(yaml.safe_dump(LIBRARY | {"patrons": [{"patron": "p2", "name": "Reader 2", "cards": ["c2"]}], "loans": [], "fees": []}))
    assert run(env, "load", str(file)).returncode == 0
    chain, key = certificate(place, "localhost")
    found = Serving(env, "--https-port", "0", "--certificate", str(chain), "--key", str(key))
    yield found
    assert found.end() == 0


@pytest.fixture
def machine(serving: Serving, place: Path) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(place / "localhost.pem"))
    with httpx.Client(base_url=f"https://localhost:{serving.ports['https']}", verify=context, timeout=20) as client:
        yield client


def _ask(machine: httpx.Client, line: str, login: str = "k1", password: str = PASSWORD) -> Envelope:
    body = sealed(Envelope(login, password, request=line))
    _valid(body)
    answer = machine.post("/sip2", content=body)
    _valid(answer.content)
    return opened(answer.content)


def test_a_machine_lends_and_returns(machine: httpx.Client) -> None:
    assert parse(_ask(machine, "9900802.00").response or "").fixed["online"] == "Y"
    assert parse(_ask(machine, LEND).response or "").fields["AJ"] == "Title 1"
    assert parse(_ask(machine, LEND).response or "").fixed["ok"] == "1"  # a retry: the same answer, done once
    assert parse(_ask(machine, f"09N{NOW}{NOW}AP|AO|ABi001|AC|WSDK-775100|").response or "").fixed["ok"] == "1"
    assert _ask(machine, "9300CNk1|COsecret|").response == "941"
    assert _ask(machine, "hello").response == "96"
    assert parse(_ask(machine, f"\n    {LEND}\n  ").response or "").code == "12"


def test_the_time_an_answer_took_is_measured(machine: httpx.Client, serving: Serving) -> None:
    assert parse(_ask(machine, f"17{NOW}AO|ABi001|").response or "").code == "18"
    seconds = next(line for line in serving.get("/metrics").splitlines() if line.startswith('sip2_seconds_sum{message="17"}'))
    assert float(seconds.split()[1]) > 0


def test_without_its_password_a_machine_is_told_nothing(machine: httpx.Client) -> None:
    for login, password in (("k1", "wrong"), ("nobody", "secret"), ("", "")):
        assert _ask(machine, LEND, login, password) == Envelope(error="the login was refused")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"11NN", 400),
        (b"<sip/>", 400),
        (b"<other><request>97</request></other>", 400),
        (b'<!DOCTYPE sip [<!ENTITY x "9900802.00">]><sip login="k1" password="secret"><request>&x;</request></sip>', 400),
        (b'<sip login="k1" password="secret"><response>98</response></sip>', 400),
        (b"<sip><request>" + b"9" * 200_000 + b"</request></sip>", 413),
    ],
    ids=["no XML", "nothing inside", "another root", "an entity", "a response", "too long"],
)
def test_what_is_no_request_is_told(machine: httpx.Client, body: bytes, status: int) -> None:
    answer = machine.post("/sip2", content=body)
    assert answer.status_code == status
    _valid(answer.content)
    assert opened(answer.content).error


def test_passwords_and_cards_do_not_go_over_plain_http(serving: Serving) -> None:
    plain = httpx.post(f"http://localhost:{serving.ports['http']}/sip2", content=sealed(Envelope("k1", "secret", request="9900802.00")))
    assert plain.status_code == 404


@pytest.mark.parametrize("text", ["", "a|b<&>\"'", "æøå 李", "bell \x07 and \ufffe"])
def test_any_line_survives_the_envelope(text: str) -> None:
    found = opened(sealed(Envelope("k", "p", request=text)))
    assert found.request == text.replace("\x07", " ").replace("\ufffe", " ")
    with pytest.raises(Unfit):
        opened(b"")


class TestBridge:
    @pytest.fixture
    def port(self, serving: Serving, place: Path) -> Iterator[int]:
        yield from _bridge(f"https://localhost:{serving.ports['https']}/sip2", place / "localhost.pem")

    def test_a_plain_machine_lends_through_it(self, port: int) -> None:
        with Raw(port) as kiosk:
            assert kiosk.ask("9300CNk1|COwrong|") == "940"
            kiosk.send(framed("9300CNk1|COsecret|", sequence="1"))
            assert line_of(kiosk.read()) == Framed(b"941", "1", True)
            line = framed(LEND.replace("i001", "i003"), sequence="2")
            kiosk.send(line.replace(b"i003", b"i002"))
            assert line_of(kiosk.read()).body == b"96"
            kiosk.send(line)
            first = kiosk.read()
            assert parse(line_of(first).body.decode()).fields["AJ"] == "Title 3"
            assert kiosk.ask("97").encode() == first

    def test_a_machine_that_does_not_log_in_gets_no_answers(self, port: int) -> None:
        with Raw(port) as kiosk:
            kiosk.send(LEND.encode() + b"\r")
            assert kiosk.read() == b""

    def test_without_the_other_side_the_machine_goes_on_alone(self, tmp_path: Path) -> None:
        class Broken(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_error(502)

            def log_message(self, *_: object) -> None:
                return

        chain, key = certificate(tmp_path, "localhost")
        server = HTTPServer(("127.0.0.1", 0), Broken)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for port in _bridge(f"https://localhost:{server.server_port}/", chain):
            with Raw(port) as kiosk:
                kiosk.send(b"9300CNk1|COsecret|\r")
                assert kiosk.read() == b""
        server.shutdown()
        server.server_close()

    def test_it_speaks_to_nobody_without_tls(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "connectors.circulation", "bridge", "http://localhost/sip2"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "https://" in done.stderr) == (2, True)


def _bridge(url: str, ca: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "connectors.circulation", "bridge", url, "--port", "0", "--ca", str(ca)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield int(json.loads(process.stdout.readline())["sip2"])
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0
