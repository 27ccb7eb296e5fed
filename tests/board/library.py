"""A library with an installation and a board of its own, to whose records anything may happen."""

from __future__ import annotations

from pathlib import Path

from connectors import flow_models
from connectors.ils import inbound as ils
from include.engine.ledger import quarantined
from include.engine.ledger.quarantined import Quarantined
from plugins.board import csrf
from plugins.board.app import create
from tests.board.house import ENGINEER, SECRET, BoardHouse, users
from tests.conftest import sqlite_ledger
from tests.flows.conftest import yaml
from tests.house import House

SCRIPT = "<script>alert(1)</script>"
GOOD_ITEMS = [f"{n},{n},300000000000{n},MAIN,BK,2026-01-02,100" for n in range(1, 6)]
BAD_ITEM = f"9,9,{SCRIPT},MAIN,BK,2026-13-02,100"
GOOD_PATRONS = [f"{n},29900{n},Holm,Anne {n},1990-01-02,MAIN,A,010190-123{n}" for n in range(1, 6)]
BAD_PATRON = "9,2990099,Qvistgaard,Karoline,2190-01-02,MAIN,A,020210-4321"
STAFF = "lise"


class Library:
    """A library with an installation and a board of its own."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.house = House.build(folder, sqlite_ledger(folder / "ledger.db", migrated), ils, flow_models(), "havnsund")
        self.house.write(yaml(partner=f"staff: [{STAFF}]"))
        engine = self.house.engine
        self.board = BoardHouse(engine, create(lambda: engine, users, secret=SECRET))

    def aside(self, name: str, content: bytes) -> list[Quarantined]:
        done = self.house.deliver(name, content)
        return quarantined.find(self.house.engine.ledger, delivery_id=done.id)

    def page(self, path: str, name: str = ENGINEER) -> str:
        answer = self.board.browser(name).get(f"/bindery{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, name: str = ENGINEER, **form: object):
        return self.board.browser(name).post(f"/bindery{path}", data={csrf.FIELD: csrf.token(SECRET, name), **form})
