"""The demo's uploads to posthus, below Airflow: two made-up libraries deliver, upload, and every line is what the lake says."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, cast

import pytest
import time_machine

from connectors import flow_models
from connectors.ils import inbound as ils
from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Delivery
from include.engine.dispatch.start import start
from include.engine.ledger import Ledger
from include.sandbox.deliveries import made
from include.sandbox.demo.acts import adhl_upload as act
from include.sandbox.demo.partners import copied
from tests.house import MASTER, House
from tests.sandbox.flows import run

LOANS = 1000
ONE_AT_A_TIME = Lock()
"""Airflow runs each step in a process of its own; Great Expectations is not made for threads."""
NEEDED = {"lindeby": {"item", "patron", "loan"}, "havnsund": {"bibliographic", "patron", "loan"}}
"""Tables of each library that say what an upload asks."""


class Played(House):
    """The house as the act's stage: `deliver` runs the steps that Airflow would run."""

    def deliver(self, partner: str, flow: str, *_: object, **__: object) -> Delivery:  # type: ignore[override]
        with ONE_AT_A_TIME:
            return self.run(start(self.engine, partner, flow, who="demo").id)

    def run(self, delivery_id: str) -> Delivery:
        with time_machine.travel(clock.now() + self.ahead):
            return run(self.engine, delivery_id)

    def until(self, done: Any, seconds: float, why: Any) -> None:
        import time

        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, why()
            time.sleep(0.05)

    @property
    def ledger(self) -> Ledger:
        return self.engine.ledger


@pytest.fixture
def house(tmp_path: Path, ledger: Ledger) -> Played:
    return Played.build(tmp_path, ledger, ils, flow_models(), "lindeby")


def test_posthus_decrypts_what_the_lake_has_of_each_library(house: Played, tmp_path: Path) -> None:
    home = house.engine.home
    env = {"BINDERY_PARTNERS": str(copied(home / "own partners", clock.now())), **MASTER}
    installation = SimpleNamespace(home=home, env=env, skipped={})
    with ExitStack() as stack:
        play = act.prepare(cast(Any, installation), stack)
        house.engine = replace(house.engine, partners_folder=Path(env["BINDERY_PARTNERS"]), credentials=EnvironmentCredentials(env))
        for library, tables in NEEDED.items():
            sheet, folder = made(tmp_path / "world", library, loans=LOANS), home / "inbox" / library
            folder.mkdir(parents=True, exist_ok=True)
            for answer in sheet.files:
                if answer.day == 1 and answer.table in tables:
                    (folder / answer.file).write_bytes((tmp_path / "world" / library / "day1" / answer.file).read_bytes())
                    (folder / f"{answer.file}.done").touch()
        house.claimed(later=6)
        _take_in(house)
        cast(Any, house).installation = installation
        outcome = play(cast(Any, house))
    assert outcome.wrong == []
    assert sum("decrypted lines match" in line for line in outcome.lines) == len(act.LIBRARIES)
    assert outcome.lines[-1] == "posthus wrote 0 mails about faults"


def _take_in(house: Played) -> None:
    """Run whatever dispatch has claimed, and claims after that."""
    from include.engine.delivery import State
    from include.engine.ledger import deliveries

    while waiting := deliveries.find(house.ledger, states=[State.CLAIMED]):
        for one in sorted(waiting, key=lambda delivery: delivery.arrival):
            house.run(one.id)
        house.claimed(later=6)
