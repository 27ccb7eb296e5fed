"""Our own provider, as a process, harvested by our own flow: one library's titles come to another, and so do changes and deletions."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from connectors.oai_pmh import inbound
from connectors.oai_pmh.settings import FLOWS
from include.engine.delivery import State
from include.engine.ledger import Ledger
from include.sandbox.servers.ports import free_port
from include.sandbox.servers.process import served as process
from tests.connectors.oai_pmh.harvest.conftest import House
from tests.connectors.oai_pmh.harvest.repository import Kept, Repository, made, marc, served
from tests.house import MASTER

READER = """\
name: Molendal
isil: BE-Mol
timezone: Europe/Brussels
language: nl
status: live
flows:
  oai_harvest:
    schedule: "0 3 29 2 *"
    url: http://127.0.0.1:{port}/oai
    prefix: marcxml
    sets: ["library:almvik"]
    overlap: 1 day
    polite: {{first_wait: 0s}}
"""


def test_what_one_library_publishes_another_harvests_record_by_record(tmp_path: Path, ledger: Ledger) -> None:
    port, records = free_port(), made(30)
    house = House.build(tmp_path, ledger, inbound, FLOWS, "almvik")
    environment = {
        "BINDERY_HOME": str(house.engine.home),
        "BINDERY_LEDGER": ledger.url,
        "BINDERY_PARTNERS": str(house.engine.partners_folder),
        **MASTER,
    }
    environment |= {"BINDERY_OAI_ADMIN": "drift@almvik.example", "BINDERY_OAI_DOMAIN": "almvik.example"}
    environment["BINDERY_OAI_URL"] = f"http://127.0.0.1:{port}/oai"
    with served(Repository(records)) as repository:
        house.settle(repository.url)
        with (house.engine.partners_folder / "almvik.yaml").open("a") as file:
            file.write("  oai_provider: {}\n")
        house.harvest()
        arguments, log = ["serve", "--port", str(port), "--every", "0.3", "--rate", "0", "--page", "7"], tmp_path / "serve.log"
        with process("connectors.oai_pmh", arguments, port, env=os.environ | environment, log=log):
            reader = House(house.engine, inbound, "molendal")
            reader.write(READER.format(port=port))
            _shows(port, 30)
            assert reader.harvest().state == State.ACKNOWLEDGED
            assert reader.titles().keys() == house.titles().keys()
            assert _contents(reader) == _contents(house)
            time.sleep(1.1)
            since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            repository.put(Kept(records[3].identifier, repository.now(), "", deleted=True))
            repository.put(Kept(records[5].identifier, repository.now(), marc("00005", "Ny titel")))
            house.harvest()
            _until(f"{_all(port)}&from={since}", 'status="deleted"')
            time.sleep(1.1)  # the second of its changes is over: what a harvest asks for ends before the one that it is
            done = reader.harvest()
            assert done.counts.changed == 2, json.dumps(done.facts, default=str)
            assert _contents(reader) == _contents(house)
            assert reader.titles()["00003"]["deleted"]


def _shows(port: int, count: int) -> None:
    """Until the provider's index has them."""
    _until(_all(port), f'completeListSize="{count}"')


def _all(port: int) -> str:
    return f"http://127.0.0.1:{port}/oai?verb=ListIdentifiers&metadataPrefix=marcxml&set=library:almvik"


def _until(url: str, words: str) -> None:
    for _ in range(300):
        if words in httpx.get(url).text:
            return
        time.sleep(0.2)
    raise AssertionError(httpx.get(url).text[:500])


def _contents(house: House) -> dict[str, tuple[str, str, bool]]:
    return {number: (row["title"], row["agency"], row["deleted"]) for number, row in house.titles().items() if not row["deleted"]}
