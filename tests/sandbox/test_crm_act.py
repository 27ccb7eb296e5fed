"""The demo's act of the CRMs, played without Airflow: two libraries' patrons go to Salesforce and Dynamics, and the second time nothing is left to do."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, cast

from connectors import flow_models
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Delivery
from include.engine.dispatch.look import look
from include.engine.dispatch.start import start
from include.engine.engine import Engine
from include.engine.ledger import Ledger
from include.sandbox.demo.acts import crm
from include.sandbox.demo.installation import Installation
from include.sandbox.demo.stage import Stage
from include.sandbox.world import make
from tests.crash.house import _partners
from tests.house import MASTER
from tests.sandbox.flows import run


@dataclass
class Boards:
    """A stage without Airflow: deliveries are run here."""

    installation: Installation
    engine: Engine
    one_at_a_time: Lock = field(default_factory=Lock)

    @property
    def ledger(self) -> Ledger:
        return self.engine.ledger

    def deliver(self, partner: str, flow: str) -> Delivery:
        with self.one_at_a_time:  # Airflow runs them in processes of their own
            return run(self.engine, start(self.engine, partner, flow, who="kirsten").id)


def test_two_libraries_go_to_their_crm_and_a_second_time_nothing_is_left_to_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    installation = Installation(home, dict(MASTER), {}, cast(Any, None), {})
    with ExitStack() as stack:
        play = crm.prepare(installation, stack)
        _partners(home / "partners")
        environment = {**installation.env, "BINDERY_HOME": str(home), "BINDERY_PARTNERS": str(home / "partners")}
        boards = Boards(installation, Engine.open(EnvironmentCredentials(environment), flow_models(), environment))
        for library in ("lindeby", "molendal"):
            sheet = make(library, 1000, tmp_path / "world", seed=1, bad=0.0, only=("patron",), two_days=False)
            inbox = home / "inbox" / library
            inbox.mkdir(parents=True)
            (inbox / sheet.files[0].file).write_bytes((tmp_path / "world" / library / "day1" / sheet.files[0].file).read_bytes())
        for one in look(boards.engine, patience=10) or look(boards.engine, patience=10):
            run(boards.engine, one.id)
        outcome = play(cast(Stage, boards))
    assert outcome.wrong == []
    first, second = (
        next(line for line in outcome.lines if line.startswith(start))
        for start in ("lindeby to Salesforce:", "lindeby to Salesforce, again:")
    )
    assert " 0 created" not in first and " 0 rejected" not in first  # some have no e-mail address, which the org has a rule about
    assert "0 created, 0 updated" in second and "0 calls" in second
    assert any("Dynamics" in line for line in outcome.lines)
