"""The sidecar as a process: filled from files, asked over sockets, stopped, killed, and started again."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import resource
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.circulation.embedded.store import Store
from connectors.circulation.kiosk import load
from connectors.circulation.sip2.codec import parse
from include.engine.engine import ROOT
from tests.connectors.circulation.running import Raw
from tests.connectors.circulation.sip2.certificates import certificate

LIBRARY: dict[str, Any] = {
    "terminals": {
        "institution": "demo", "name": "Made up", "timezone": "Europe/Copenhagen",
        "terminals": {"k1": {"password": "secret", "branch": "main", "connections": 50}},
    },
    "rules": {"timezone": "Europe/Copenhagen", "defaults": {"loan_days": 14, "loans": 9999}},
    "patrons": [{"patron": f"p{n}", "name": f"Reader {n}", "cards": [f"c{n}", f"old{n}"], "pin": "1234" if n == 1 else None} for n in range(1, 6)],
    "items": [{"item": f"i{n:03}", "title": f"Title {n}", "owner": "main", "location": "main"} for n in range(200)],
    "loans": [{"item": "i199", "patron": "p1", "loaned_at": "2026-11-01T10:00:00+01:00", "due": "2026-12-01T23:59:00+01:00"}],
    "holds": [{"hold": "h1", "patron": "p2", "title_id": "t1", "placed": "2026-11-01T10:00:00"}],
    "fees": [{"fee": "f1", "patron": "p1", "kind": "overdue", "outstanding": "12,50"}],
}  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """What a process of an installation in this folder is told."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        **os.environ, "PYTHONPATH": str(ROOT), "BINDERY_HOME": str(folder / "home"),
        "AIRFLOW_CONN_BINDERY_MASTER": json.dumps({"conn_type": "generic", "password": key}),
    }  # fmt: skip


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path)


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connectors.circulation", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Serving:
    """A sidecar that runs; `ports` are the ones it told."""

    def __init__(self, env: dict[str, str], *more: str) -> None:
        command = [sys.executable, "-m", "connectors.circulation", "serve", "--sip2-port", "0", "--http-port", "0", *more]
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.ports: dict[str, int] = json.loads(line)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}{path}", timeout=20) as answer:
            return str(answer.read().decode())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An installation that was filled by `load` and never served; nobody changes it."""
    folder = tmp_path_factory.mktemp("loaded")
    env, file = environment(folder), folder / "library.yaml"
    file.write_text(yaml.safe_dump(LIBRARY))
    done = run(env, "load", str(file))
    assert done.returncode == 0, done.stderr
    assert "items: 200" in done.stdout
    return env


@pytest.fixture
def filled(loaded: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A copy of it, to be served and changed."""
    home = shutil.copytree(loaded["BINDERY_HOME"], tmp_path / "home")
    return loaded | {"BINDERY_HOME": str(home)}


@pytest.fixture
def serving(filled: dict[str, str]) -> Iterator[Serving]:
    found = Serving(filled)
    yield found
    if found.process.poll() is None:
        found.end(signal.SIGKILL)


def _status(port: int, line: str) -> str:
    with Raw(port) as kiosk:
        assert kiosk.ask("9300CNk1|COsecret|") == "941"
        return kiosk.ask(line)


def test_what_was_loaded_is_served(serving: Serving) -> None:
    told = parse(_status(serving.ports["sip2"], f"63001{' ' * 18}  Y       AO|AAold1|AD1234|"))
    assert (told.fields["AE"], told.fields["BV"], told.every("AU")) == ("Reader 1", "12.50", ["i199"])
    assert told.fields["CQ"] == "Y"
    assert json.loads(serving.get("/health"))["online"] is True
    assert 'sip2_messages_total{message="63",status="ok",terminal="k1"} 1.0' in serving.get("/metrics")
    assert serving.end() == 0


def test_no_password_and_no_pin_is_kept_as_it_was_typed(filled: dict[str, str]) -> None:
    home = Path(filled["BINDERY_HOME"]) / "circulation"
    assert "secret" not in (home / "terminals.yaml").read_text()
    store = Store(home / "store.db")
    assert str(store.get("patron", "p1")["pin"]).startswith("scrypt$")
    store.close()


def test_settings_that_change_are_taken_over_and_wrong_ones_are_not(serving: Serving, filled: dict[str, str]) -> None:
    file = Path(filled["BINDERY_HOME"]) / "circulation" / "terminals.yaml"
    right = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(right | {"timezone": "Nowhere/Land"}))
    time.sleep(2.5)
    assert "AMMade up|" in _status(serving.ports["sip2"], "9900802.00")
    file.write_text(yaml.safe_dump(right | {"name": "Made anew"}))
    deadline = time.monotonic() + 30
    while "AMMade anew|" not in _status(serving.ports["sip2"], "9900802.00"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_profile_of_the_site_s_own_is_taken_over_while_it_serves_and_one_mistake_changes_nothing(
    serving: Serving, filled: dict[str, str]
) -> None:
    home, status = Path(filled["BINDERY_HOME"]) / "circulation", f"23001{' ' * 18}AO|AAc2|AC|"
    profile, doors, terminals = home / "profiles" / "own.yaml", home / "doors.yaml", yaml.safe_load((home / "terminals.yaml").read_text())

    def until(words: str) -> None:
        deadline = time.monotonic() + 30
        while words not in _status(serving.ports["sip2"], status):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    profile.parent.mkdir()
    profile.write_text("output: {name: 'first {name}'}")
    terminals["terminals"]["k1"]["profile"] = "own"
    (home / "terminals.yaml").write_text(yaml.safe_dump(terminals))
    until("AEfirst Reader 2|")
    doors.write_text("agency: [")
    profile.write_text("output: {name: 'second {name}'}")
    time.sleep(2.5)
    assert "AEfirst Reader 2|" in _status(serving.ports["sip2"], status)
    doors.unlink()
    until("AEsecond Reader 2|")


def test_new_pins_are_taken_while_it_serves(serving: Serving, filled: dict[str, str], tmp_path: Path) -> None:
    file, home = tmp_path / "export.csv", Path(filled["BINDERY_HOME"]) / "circulation"
    file.write_text("card;pin\nc1;8642\nc2;\n")
    refused = run(filled, "pins", str(file))
    assert (refused.returncode, "row 2 lacks a card" in refused.stderr, "8642" in refused.stderr) == (1, True, False)
    file.write_text("card;pin\nc1;8642\nnobody;1\n")
    assert "2 PINs are left" in run(filled, "pins", str(file)).stdout
    deadline = time.monotonic() + 30
    while parse(_status(serving.ports["sip2"], f"23001{' ' * 18}AO|AAc1|AC|AD8642|")).fields["CQ"] != "Y":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert parse(_status(serving.ports["sip2"], f"23001{' ' * 18}AO|AAc1|AC|AD1234|")).fields["CQ"] == "N"
    assert list((home / "pins").iterdir()) == []


def test_it_stops_at_once_and_quietly_whoever_is_in_the_midst_of_a_request(env: dict[str, str], tmp_path: Path) -> None:
    serving = Serving(env, "--demo", "--ncip-port", "0")
    with (
        socket.create_connection(("127.0.0.1", serving.ports["ncip"])) as half,
        socket.create_connection(("127.0.0.1", serving.ports["http"])),
    ):
        half.sendall(b"POST /ncip HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 999\r\n\r\n<a>")
        assert json.loads(serving.get("/health"))["online"]
        serving.process.send_signal(signal.SIGTERM)
        said = serving.process.communicate(timeout=60)[1]
    assert serving.process.returncode == 0
    assert "Traceback" not in said and '"level": "error"' not in said


def test_a_site_that_wants_tls_alone_has_it_and_the_process_all_the_files_it_may(env: dict[str, str], tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "localhost")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard - 1), hard))
    try:
        serving = Serving(env, "--demo", "--no-sip2-port", "--sip2-tls-port", "0", "--certificate", str(chain), "--key", str(key))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        assert sorted(serving.ports) == ["http", "sip2_tls"]
        assert json.loads(serving.get("/health"))["ports"] == serving.ports
        files = next(line.split() for line in Path(f"/proc/{serving.process.pid}/limits").read_text().splitlines() if "open files" in line)
        assert files[3] == files[4]
        trusting = ssl.create_default_context(cafile=str(chain))
        with Raw(serving.ports["sip2_tls"]) as kiosk:
            kiosk.socket = trusting.wrap_socket(kiosk.socket, server_hostname="localhost")
            assert kiosk.ask("9900802.00").startswith("98Y")
    finally:
        assert serving.end() == 0


def test_a_second_process_is_told_that_the_journal_is_taken(serving: Serving, filled: dict[str, str]) -> None:
    done = run(filled, "load", str(ROOT / "README.md"))
    assert (done.returncode, "another process writes the journal" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("patrons: [{name: X}]", "row 1 of patrons cannot be read: it has no patron"),
        ("loans: [{item: i1, patron: p1, loaned_at: yesterday, due: 2026-01-01}]", "row 1 of loans cannot be read"),
        ("books: []", "nothing is called books"),
        ("terminals: {institution: x, timezone: Mars/One, terminals: {}}", "no IANA time zone"),
        ("rules: {defaults: {loan_days: -1}}", "loan_days"),
    ],
)
def test_a_file_that_is_wrong_is_told_and_nothing_of_it_stays(env: dict[str, str], tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "library.yaml"
    file.write_text(content)
    done = run(env, "load", str(file))
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    store = Store(Path(env["BINDERY_HOME"]) / "circulation" / "store.db")
    assert list(store.rows("patron")) == list(store.rows("loan")) == []
    store.close()


def test_csv_is_read_by_its_columns(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "patrons.csv").write_text("\ufeffpatron;name;cards;valid_until\np1;Reader;c1 c2;2027-01-01\n", encoding="utf-8")
    (tmp_path / "items_main.csv").write_text("item,title,magnetic\ni1,A title,yes\n")
    assert run(env, "load", str(tmp_path / "patrons.csv"), str(tmp_path / "items_main.csv")).returncode == 0
    store = Store(Path(env["BINDERY_HOME"]) / "circulation" / "store.db")
    assert (store.patron_of("c2")["valid_until"], store.get("item", "i1")["magnetic"]) == ("2027-01-01", 1)
    store.close()


def test_the_demo_serves_a_library_of_its_own_and_the_kiosk_borrows(env: dict[str, str]) -> None:
    serving = Serving(env, "--demo")
    try:
        done = run(env, "kiosk", "--port", str(serving.ports["sip2"]))
        assert (done.returncode, "AU 3000001" in done.stdout) == (0, True), done.stdout + done.stderr
        load = run(env, "kiosk", "--port", str(serving.ports["sip2"]), "--machines", "3")
        assert (load.returncode, "9 answers" in load.stdout, "6 ok, 0 refused" in load.stdout) == (0, True, True), load.stdout + load.stderr
        refused = run(env, "kiosk", "--port", str(serving.ports["sip2"]), "--password", "wrong")
        assert (refused.returncode, "refused" in refused.stderr) == (1, True)
    finally:
        assert serving.end() == 0


@pytest.mark.crash
@pytest.mark.parametrize("seed", range(3))
def test_a_kill_under_load_loses_no_answer_and_doubles_none(filled: dict[str, str], seed: int) -> None:
    chance, said = random.Random(seed), dict[str, str]()
    for life in range(2):
        serving = Serving(filled)

        def borrow(name: int, port: int = serving.ports["sip2"], life: int = life) -> None:
            try:
                with Raw(port) as kiosk:
                    if kiosk.ask("9300CNk1|COsecret|") != "941":
                        return  # killed before it was answered
                    for number in range(name + 4 * (25 * life), 100 * (life + 1), 4):
                        line = f"11NN20261120    13{number // 60:02}{number % 60:02}{' ' * 18}AO|AAc{name + 2}|ABi{number:03}|AC|"
                        if kiosk.ask(line).startswith("121"):
                            said[f"i{number:03}"] = f"p{name + 2}"
            except OSError:
                return

        kiosks = [threading.Thread(target=borrow, args=(name,)) for name in range(4)]
        for one in kiosks:
            one.start()
        enough = len(said) + chance.randint(1, 30)
        while len(said) < enough:
            time.sleep(0.001)
        serving.end(signal.SIGKILL)
        for one in kiosks:
            one.join()
    again = Serving(filled)
    try:
        found = {}
        for card in range(2, 6):
            for item in parse(_status(again.ports["sip2"], f"63001{' ' * 18}  Y       AO|AAc{card}|")).every("AU"):
                assert item not in found
                found[item] = f"p{card}"
        assert found.items() >= said.items()
        assert len(found) - len(said) <= 8  # those that were asked and not answered: one a kiosk and life
    finally:
        again.end()
    assert again.process.returncode == 0


def test_many_kiosks_at_once_each_get_their_own_answers(serving: Serving) -> None:
    told = asyncio.run(
        load(
            "127.0.0.1",
            serving.ports["sip2"],
            [("k1", "secret")],
            ["c2", "c3", "c4"],
            [f"i{n:03}" for n in range(180)],
            kiosks=30,
            rounds=6,
        )
    )
    assert [(one.ok, one.refused, len(one.seconds)) for one in told] == [(12, 0, 18)] * 30
