"""The commands as processes: what they say when they cannot start, how they stop, and that a kill -9 costs nothing."""

from __future__ import annotations

import base64
import fcntl
import gzip
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import time_machine

from connectors.oai_pmh.provider.index import file_in
from include.engine.engine import ROOT
from tests.connectors.oai_pmh.provider.dying import rows, shelf
from tests.connectors.oai_pmh.provider.house import KEY, Shelf, pages, row
from tests.house import MASTER

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("BINDERY_", "AIRFLOW_"))}
NAMED = {"BINDERY_OAI_ADMIN": "oai@test.example", "BINDERY_OAI_DOMAIN": "test.example"}
SIGNED = {"BINDERY_OAI_KEY": base64.b64encode(KEY).decode()}
COMMAND = [sys.executable, "-m", "connectors.oai_pmh.provider.serve"]


def fails(arguments: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=PLAIN | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def running(arguments: list[str], environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The provider as a process, and its address."""
    with subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, env=PLAIN | environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def wait_for(url: str) -> httpx.Response:
    """The first answer that is not "come again"."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            answer = httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if answer.status_code != 503:
            return answer
        time.sleep(0.1)
    raise AssertionError("the provider does not serve")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({**SIGNED}, "BINDERY_OAI_ADMIN"),
        ({**SIGNED, "BINDERY_OAI_ADMIN": "oai@test.example"}, "BINDERY_OAI_DOMAIN"),
        ({**NAMED, "BINDERY_OAI_KEY": "c2hvcnQ="}, "BINDERY_OAI_KEY"),
        ({**NAMED, **SIGNED, "BINDERY_OAI_URL": "ftp://x"}, "BINDERY_OAI_URL"),
        ({**NAMED}, "bindery_master"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_a_line(tmp_path: Path, environment: dict[str, str], words: str) -> None:
    said = fails(["serve", "--port", "0", "--no-index"], {"BINDERY_HOME": str(tmp_path), **environment})
    assert words in said
    assert len(said.splitlines()) == 1
    assert "c2hvcnQ=" not in said


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = fails(["serve", "--port", str(port), "--no-index"], {"BINDERY_HOME": str(tmp_path), **NAMED, **SIGNED})
    assert f"127.0.0.1:{port}" in said
    assert "OAI_PORT_TAKEN" in said


def test_saved_queries_that_cannot_be_used_end_the_index_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "sets.yaml").write_text("a: {}")
    said = fails(["index"], {"BINDERY_HOME": str(tmp_path), "BINDERY_OAI_SETS": str(tmp_path / "sets.yaml")})
    assert "sets.yaml" in said


def test_the_demo_serves_a_made_up_library_and_stops_when_it_is_told_to() -> None:
    with running(["serve", "--demo", "--port", "0"], {}) as (process, url):
        assert "Lindeby" in wait_for(f"{url}?verb=Identify").text
        health = httpx.get(f"{url.rpartition('/')[0]}/health").json()
        assert (health["status"], health["lake_version"]) == ("ok", None)  # these titles are in no lake
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_it_keeps_its_index_in_a_process_that_ends_with_it_even_when_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / "lindeby.yaml").write_text(
        "name: L\ntimezone: Europe/Copenhagen\nlanguage: da\nstatus: live\nflows: {oai_provider: {}}\n"
    )
    environment = {"BINDERY_HOME": str(tmp_path), "BINDERY_PARTNERS": str(tmp_path / "partners"), **NAMED, **MASTER}
    with running(["serve", "--port", "0", "--every", "0.2"], environment) as (process, url):
        assert wait_for(f"{url}?verb=Identify").status_code == 200
        lock = file_in(tmp_path / "oai").with_suffix(".lock")
        assert held(lock)
        process.kill()
        process.wait()
        end = time.monotonic() + 30
        while held(lock) and time.monotonic() < end:
            time.sleep(0.05)
        assert not held(lock)


def test_an_index_in_a_folder_of_its_own_is_served_by_a_process_that_has_nothing_else(tmp_path: Path) -> None:
    made = Shelf(tmp_path)
    made.put("lindeby", {"a": [row(1)]})
    with time_machine.travel(time.time() - 60):
        made.look()
    with running(["serve", "--port", "0", "--no-index"], {"BINDERY_OAI_INDEX": str(tmp_path), **NAMED, **SIGNED}) as (_, url):
        assert "lindeby/DK-799001/1" in wait_for(f"{url}?verb=ListIdentifiers&metadataPrefix=marcxml").text


def held(lock: Path) -> bool:
    with lock.open("w") as mine:
        try:
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


@pytest.mark.parametrize("seed", range(int(os.environ.get("SEEDS", "3"))))
def test_an_index_whose_writer_is_killed_again_and_again_is_the_one_of_an_undisturbed_run(tmp_path: Path, seed: int) -> None:
    """More seeds: SEEDS=50 python -m pytest tests/connectors/oai_pmh/provider -k killed_again"""
    deaths = 0
    for version in (0, 1):
        command = [sys.executable, "-m", "tests.connectors.oai_pmh.provider.dying", str(tmp_path), str(version), str(seed)]
        done = subprocess.run(command, cwd=ROOT, env=PLAIN, capture_output=True, text=True, timeout=120, check=True)
        deaths += int(done.stdout)
        _as_it_should_be(tmp_path, version)
    assert deaths >= 2


def _as_it_should_be(folder: Path, version: int) -> None:
    with time_machine.travel(time.time() + 60):
        found = [
            one for page in pages(shelf(folder, version).desk(), "verb=ListIdentifiers&metadataPrefix=marcxml") for one in page.records
        ]
    numbers = {identifier.rpartition("/")[2] for identifier, _, deleted in found if not deleted}
    assert numbers == {one["control_number"] for one in rows(version)}
    gone = {identifier.rpartition("/")[2] for identifier, _, deleted in found if deleted}
    assert gone == {one["control_number"] for one in rows(0)} - numbers
    assert len(found) == len(numbers) + len(gone)
    connection = sqlite3.connect(file_in(folder))
    tallied = dict(connection.execute("SELECT listing, sum(records) FROM tally GROUP BY listing HAVING sum(records) > 0"))
    assert tallied == dict(connection.execute("SELECT listing, count(*) FROM member GROUP BY listing"))
    assert connection.execute("SELECT count(*) FROM marc").fetchone() == (len(numbers),)
    connection.close()


def test_memory_does_not_grow_with_the_list(tmp_path: Path) -> None:
    """The short version of the bench: pages of the end of a list take what pages of its beginning take."""
    shelf = Shelf(tmp_path, page=100)
    shelf.put("lindeby", {"a": [row(n) for n in range(3000)]})
    shelf.look()
    with time_machine.travel(time.time() + 60):
        desk, peaks = shelf.desk(), []
        token, verb = "", "verb=ListRecords"
        tracemalloc.start()
        for _ in range(30):
            tracemalloc.reset_peak()
            reply = desk.harvest(f"{verb}&{'resumptionToken=' + token if token else 'metadataPrefix=marcxml'}".encode(), True, "")
            plain = gzip.decompress(reply.body).decode()
            token = plain.rpartition("</resumptionToken>")[0].rpartition(">")[2]
            del reply, plain
            peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert token == ""
    assert max(peaks[5:]) < 1.3 * min(peaks[1:5])
