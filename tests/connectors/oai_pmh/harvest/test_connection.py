"""How a repository knows us: logins, tokens, keys and certificates, which come from a connection and are kept nowhere."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from pathlib import Path

import pytest

from connectors.oai_pmh import inbound
from connectors.oai_pmh.settings import OaiHarvest
from include.engine.delivery import State
from tests.connectors.oai_pmh.harvest.conftest import House, same
from tests.connectors.oai_pmh.harvest.repository import Repository, Response, made, served

KEY = "k-3f&=ö secret"


def build(tmp_path: Path, ledger, connection: dict) -> House:
    environment = {"AIRFLOW_CONN_REPO": json.dumps({"conn_type": "http", **connection})}
    return House.build(tmp_path, ledger, inbound, {"oai_harvest": OaiHarvest}, "almvik", environment)


WAYS = {
    "basic": (
        {"login": "almvik", "password": KEY},
        lambda r: r.headers.get("Authorization") == "Basic " + base64.b64encode(f"almvik:{KEY}".encode()).decode(),
    ),
    "bearer": ({"password": "t0ken", "extra": {"auth": "bearer"}}, lambda r: r.headers.get("Authorization") == "Bearer t0ken"),
    "key in a header": (
        {"password": "t0ken", "extra": {"auth": "api_key", "header": "X-Key"}},
        lambda r: r.headers.get("X-Key") == "t0ken",
    ),
    "key in the query": ({"password": KEY, "extra": {"auth": "api_key", "parameter": "key"}}, lambda r: r.params.get("key") == KEY),
}


@pytest.mark.parametrize(("connection", "known"), WAYS.values(), ids=WAYS)
def test_we_say_who_we_are_as_the_connection_has_it(tmp_path, ledger, connection: dict, known) -> None:
    house = build(tmp_path, ledger, connection)
    with served(Repository(made(15))) as repository:
        repository.fault = lambda request, answer: None if known(request) else Response(b"no", 401)
        house.settle(repository.url, "connection: repo")
        done = house.harvest()
        assert done.state == State.ACKNOWLEDGED
        same(house, repository)
        assert connection["password"].encode() not in house.landed(done)


def test_who_is_not_known_is_refused_and_told_so(tmp_path, ledger) -> None:
    house = build(tmp_path, ledger, {"login": "almvik", "password": "old"})
    with served(Repository(made(15))) as repository:
        repository.fault = lambda request, answer: Response(b"no", 401)
        house.settle(repository.url, "connection: repo")
        done = house.harvest()
    assert (done.state, done.reason) == (State.BLOCKED, "OAI_HTTP_STATUS")
    assert "401" in house.receipt(done)
    assert len(repository.requests) == 1, "a refusal is not tried again"


def test_a_key_does_not_follow_a_redirect_to_another_host(tmp_path, ledger) -> None:
    house = build(tmp_path, ledger, {"password": "t0ken", "extra": {"auth": "api_key"}})
    with served(Repository(made(5))) as elsewhere, served(Repository(made(5))) as repository:
        other = elsewhere.url.replace("127.0.0.1", "localhost")
        repository.fault = lambda request, answer: Response(b"", 302, {"Location": f"{other}?{request.query}"})
        house.settle(repository.url, "connection: repo")
        house.harvest()
    assert repository.requests[0].headers["X-API-Key"] == "t0ken"
    assert elsewhere.requests and all("X-API-Key" not in request.headers for request in elsewhere.requests)


def test_a_client_certificate_opens_a_server_that_wants_one(tmp_path, ledger) -> None:
    ca, server, client = (tmp_path / f"{name}.pem" for name in ("ca", "server", "client"))
    _certificate(ca, "Test CA")
    for file, name in ((server, "127.0.0.1"), (client, "almvik")):
        _certificate(file, name, ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with served(Repository(made(15)), context) as repository:
        for extra, state in (({"ca": str(ca), "client_certificate": str(client)}, State.ACKNOWLEDGED), ({"ca": str(ca)}, State.FAILED)):
            folder = tmp_path / str(state)
            folder.mkdir()
            house = build(folder, ledger, {"host": repository.url.removesuffix("/oai"), "extra": extra})
            house.settle("/oai", "connection: repo", attempts=1)
            done = house.harvest()
            assert done.state == state, done.message
            if state == State.ACKNOWLEDGED:
                same(house, repository)
            else:
                assert house.records() == {}


def _certificate(file: Path, name: str, ca: Path | None = None) -> None:
    key, signed = file.with_suffix(".key"), file.with_suffix(".crt")
    signer = ["-CA", str(ca), "-CAkey", str(ca.with_suffix(".key"))] if ca else ["-addext", "keyUsage=critical,keyCertSign"]
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    base = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([*base, "-keyout", str(key), "-out", str(signed), *subject, *signer], check=True, capture_output=True)
    file.write_text(signed.read_text() + key.read_text())
