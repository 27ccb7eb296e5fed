"""NCIP and Netmusik in the sidecar's process: from files, over TLS and behind a proxy, stopped in peace, killed, and changed while it runs."""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from include.engine.engine import ROOT
from include.sandbox.servers.ports import wait_until_closed
from tests.connectors.circulation.ncip.asking import item, lines, message, user, valid
from tests.connectors.circulation.sip2.certificates import certificate
from tests.connectors.circulation.test_serving import LIBRARY, Serving, environment, run
from tests.docs.pages import blocks

OWN = {"agencies": ["DK-999999"], "password": "secret", "services": ["LookupUser", "CheckOutItem", "CheckInItem"], "tells": ["loans"]}
DOORS = {"agency": "DK-710100", "callers": {"own": OWN}, "netmusik": {"addresses": ["127.0.0.1/32"]}}
LOOKUP = message(f"<LookupUser>{user('c1')}</LookupUser>")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    found, file = environment(tmp_path), tmp_path / "library.yaml"
    file.write_text(yaml.safe_dump(LIBRARY | {"doors": DOORS}))
    done = run(found, "load", str(file))
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture
def serving(env: dict[str, str]) -> Iterator[Serving]:
    found = Serving(env, "--ncip-port", "0")
    yield found
    if found.process.poll() is None:
        found.end(signal.SIGKILL)


def _ask(serving: Serving, body: bytes = LOOKUP) -> list[str]:
    answer = httpx.post(f"http://127.0.0.1:{serving.ports['ncip']}/ncip", content=body, timeout=20)
    valid(answer.content)
    return lines(answer.content)


def test_it_is_filled_from_a_file_asked_changed_while_it_runs_and_stopped_in_peace(serving: Serving, env: dict[str, str]) -> None:
    file = Path(env["BINDERY_HOME"]) / "circulation" / "doors.yaml"
    assert "secret" not in file.read_text()
    assert _ask(serving) == ["LookupUserResponse/UserId/UserIdentifierValue c1"]
    plain = httpx.get(f"http://127.0.0.1:{serving.ports['ncip']}/netmusik/1", params={"userId": "c1", "userPincode": "1234"}, timeout=20)
    assert plain.json()["status"] == "ok"
    assert httpx.post(f"http://127.0.0.1:{serving.ports['http']}/ncip", content=LOOKUP).status_code == 404
    assert 'ncip_messages_total{caller="own",service="LookupUser",status="ok"} 1.0' in serving.get("/metrics")

    right: dict[str, Any] = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(right | {"callers": {"own": right["callers"]["own"] | {"services": ["LookupVersion"]}}}))
    deadline = time.monotonic() + 30
    while "Unauthorized Service" not in _ask(serving)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.2)

    with socket.create_connection(("127.0.0.1", serving.ports["ncip"]), 60) as wire:  # asked for while it is told to stop
        wire.sendall(f"POST /ncip HTTP/1.1\r\nHost: x\r\nContent-Length: {len(LOOKUP)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert b" 100 " in wire.recv(4096)  # it is under way
        wire.sendall(LOOKUP[:-20])
        serving.process.send_signal(signal.SIGTERM)
        assert wait_until_closed(serving.ports["ncip"])
        wire.sendall(LOOKUP[-20:])
        assert b"200 OK" in wire.recv(4096)
    serving.process.communicate(timeout=60)
    assert serving.process.returncode == 0


def test_it_is_asked_over_tls_beside_sip2(env: dict[str, str], tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "localhost")
    serving = Serving(env, "--https-port", "0", "--certificate", str(chain), "--key", str(key))
    try:
        context = ssl.create_default_context(cafile=str(tmp_path / "localhost.pem"))
        answer = httpx.post(f"https://localhost:{serving.ports['https']}/ncip", content=LOOKUP, verify=context, timeout=20)
        assert lines(answer.content) == ["LookupUserResponse/UserId/UserIdentifierValue c1"]
        assert "ncip" not in serving.ports
    finally:
        assert serving.end() == 0


def test_the_demo_can_be_asked_the_examples_of_the_page(tmp_path: Path) -> None:
    [_, _, loan] = (block.text for block in blocks(ROOT / "docs" / "flows" / "ncip.md", "xml"))
    serving = Serving(environment(tmp_path), "--demo", "--ncip-port", "0")
    try:
        assert "CheckOutItemResponse/DateDue" in _ask(serving, loan.encode())[-1]
        desired = message(f"<LookupUser>{user('1000001')}<LoanedItemsDesired/></LookupUser>")
        assert "LookupUserResponse/LoanedItem/ItemId/ItemIdentifierValue 3000001" in _ask(serving, desired)
    finally:
        assert serving.end() == 0


@pytest.mark.crash
@pytest.mark.parametrize("seed", range(max(int(os.environ.get("BINDERY_SEEDS", "0")), 1)))
def test_a_kill_under_load_loses_no_answer_and_what_is_sent_again_is_done_once(env: dict[str, str], seed: int) -> None:
    """Every loan that was answered is there after a kill; every message sent again, answered or not, leaves one loan each."""
    chance, said, asked = random.Random(seed), set[int](), set[int]()
    serving = Serving(env, "--ncip-port", "0")

    def lend(number: int) -> bytes:
        return message(f"<CheckOutItem>{user('c3')}{item(f'i{number:03}')}</CheckOutItem>")

    def borrow(first: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{serving.ports['ncip']}", timeout=20) as http:
            for number in range(first, 190, 4):
                asked.add(number)
                try:
                    answer = http.post("/ncip", content=lend(number))
                except httpx.HTTPError:
                    return
                if "DateDue" in lines(answer.content)[-1]:
                    said.add(number)

    borrowers = [threading.Thread(target=borrow, args=(first,)) for first in range(4)]
    for one in borrowers:
        one.start()
    enough = chance.randint(5, 60)
    while len(said) < enough:
        time.sleep(0.001)
    serving.end(signal.SIGKILL)
    for one in borrowers:
        one.join()
    again = Serving(env, "--ncip-port", "0")
    try:
        desired = message(f"<LookupUser>{user('c3')}<LoanedItemsDesired/></LookupUser>")
        there = {int(line.split()[-1][1:]) for line in _ask(again, desired) if "LoanedItem/ItemId/ItemIdentifierValue" in line}
        assert said <= there <= asked
        for number in sorted(asked):
            assert "DateDue" in _ask(again, lend(number))[-1]
        after = [int(line.split()[-1][1:]) for line in _ask(again, desired) if "LoanedItem/ItemId/ItemIdentifierValue" in line]
        assert sorted(after) == sorted(asked)
    finally:
        assert again.end() == 0
