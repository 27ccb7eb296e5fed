"""The demo's act of the kiosk, played without Airflow: the sidecar runs, its store is filled, its journal is read, and BI has the loans."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from connectors import flow_models
from connectors.bi.feed import feed
from connectors.bi.house import house_of
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Delivery
from include.engine.dispatch.look import look
from include.engine.dispatch.start import start
from include.engine.engine import Engine
from include.engine.ledger import Ledger
from include.sandbox.demo.acts import circulation
from include.sandbox.demo.installation import Installation
from include.sandbox.demo.stage import Stage
from include.sandbox.world import make
from tests.crash.house import _partners
from tests.house import MASTER
from tests.sandbox.flows import run

FLOWS = {
    "circulation_journal": {"schedule": "0 3 29 2 *", "wait": "2 min"},
    "circulation_fill": {"schedule": "0 3 29 2 *"},
}


@dataclass
class Library:
    """A stage without Airflow: deliveries are run here, and the BI feed after those that change the lake."""

    installation: Installation
    engine: Engine

    @property
    def ledger(self) -> Ledger:
        return self.engine.ledger

    def deliver(self, partner: str, flow: str) -> Delivery:
        done = run(self.engine, start(self.engine, partner, flow, who="kirsten").id)
        if flow == circulation.JOURNAL:
            feed(house_of(self.engine))
        return done

    def until(self, done: Any, _seconds: float, why: Any) -> None:
        assert done(), why()


def test_what_a_kiosk_does_is_in_the_parquet_figure_by_figure(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    _partners(home / "partners")
    file = home / "partners" / "almvik.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["flows"] |= FLOWS
    file.write_text(yaml.safe_dump(settings, allow_unicode=True))
    environment = {**MASTER, "BINDERY_HOME": str(home), "BINDERY_PARTNERS": str(home / "partners")}
    installation = Installation(home, dict(environment), {}, cast(Any, None), {})
    with ExitStack() as stack:
        play = circulation.prepare(installation, stack)
        library = Library(installation, Engine.open(EnvironmentCredentials(environment), flow_models(), environment))
        sheet = make("almvik", 1000, tmp_path / "world", seed=1, bad=0.0, two_days=False)
        inbox = home / "inbox" / "almvik"
        inbox.mkdir(parents=True)
        for one in sheet.files:
            if one.table in ("bibliographic", "patron", "loan"):
                (inbox / one.file).write_bytes((tmp_path / "world" / "almvik" / "day1" / one.file).read_bytes())
        while due := look(library.engine, patience=10) or look(library.engine, patience=10):
            for claimed in due:
                run(library.engine, claimed.id)
        outcome = play(cast(Stage, library))
    assert outcome.wrong == []
    assert "2 loans, 1 renewal and 1 return of one patron, each once" in outcome.lines[-1]
