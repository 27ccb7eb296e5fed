"""Deliveries as OpenLineage events, through OpenLineage's own client: into a file, and to a receiver over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from include.engine import lineage
from include.engine.delivery import State
from include.engine.ledger import Ledger
from include.engine.partner.settings import InboxFlow
from include.sandbox.servers.ports import free_port
from tests.engine.inbound import paper
from tests.engine.inbound.paper import GOOD, PARTNER
from tests.house import House


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger) -> House:
    made = House.build(tmp_path, ledger, paper, {"paper_import": InboxFlow}, "lindeby")
    made.write(PARTNER)
    return made


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_delivery_is_a_run_from_its_file_to_the_lake_s_tables(
    house: House, receiver: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, got = receiver
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    done = house.deliver("hold_1.txt", GOOD + "torn\n")
    assert lineage.tell(house.engine, done.id) == 2
    start, end = got
    assert [start["eventType"], end["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == end["run"]["runId"]
    assert end["job"] == {"namespace": "bindery", "name": "lindeby.paper_import.holding", "facets": {}}
    [source] = end["inputs"]
    assert (source["namespace"], source["name"].rpartition("/")[2]) == ("file", "hold_1.txt")
    [table] = end["outputs"]
    assert (table["namespace"], table["name"]) == ("bindery/lake", "holding")
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 5


def test_events_go_to_a_file_where_the_environment_says_so(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "events.jsonl"))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    done = house.deliver("hold_1.txt", "")
    assert done.state == State.BLOCKED
    assert lineage.tell(house.engine, done.id) == 2
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [one["eventType"] for one in events] == ["START", "FAIL"]
    assert events[1]["run"]["facets"]["errorMessage"]["message"] == "FILE_EMPTY" and events[1]["outputs"] == []


def test_sent_twice_it_is_the_same_run(house: House) -> None:
    done = house.deliver("hold_1.txt", GOOD)
    first, again = lineage.events(house.engine, done), lineage.events(house.engine, done)
    assert [one.run.runId for one in first] == [one.run.runId for one in again]
    assert [one.eventTime for one in first] == [one.eventTime for one in again]


def test_a_receiver_that_is_away_costs_the_delivery_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_CONFIG", "")
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY", '{"total": 0}')
    done = house.deliver("hold_1.txt", GOOD)
    assert lineage.tell(house.engine, done.id) == 0


def test_nothing_is_sent_where_no_receiver_is_named() -> None:
    assert not lineage.wanted({}) and not lineage.wanted({"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": "True"})
    assert lineage.wanted({"OPENLINEAGE_CONFIG": "openlineage.yml"})
