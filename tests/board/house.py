"""A lived-in installation behind a board: one library that delivered, one whose deliveries went wrong, one whose YAML is broken."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from include.engine.dispatch.look import look
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import Ledger, deliveries
from plugins.board import csrf
from plugins.board.app import create
from plugins.board.reads import costly
from plugins.board.viewer import Person
from tests.engine import lived_in

costly.FACTOR = 0.0  # what a test has changed is seen at once, however busy the machine is


SECRET = b"a secret of the tests"
ENGINEER, STAFF, OTHER_STAFF, STRANGER = "erik", "lise", "henrik", "nobody"
HAVNSUND = """\
name: Havnsund Forskningsbibliotek
timezone: Europe/Stockholm
language: sv
status: live
staff: [henrik]
flows:
  people_import:
    inbox: file:inbox/havnsund
    every: 0s
    ready: {stable_for: 0s}
    deliveries:
      - {table: patron, files: "patrons_*", mode: full, expected: "daily 00:01"}
      - {table: loan, files: "loans_*", mode: append, expected: "daily 00:01"}
"""
BROKEN = "name: Bibliotheek Molendal\ntimezone: Europe/Brussels\nstatus: live\nstaff: [marieke]\nflows:\n  people_import:\n    inbok: file:inbox/molendal\n"
HOSTILE_NAME = "patrons_<img src=x onerror=alert(1)>.csv"


def build(base: Path, migrated: Path) -> None:
    """Make the installation in `base`: slow (Great Expectations), so once a session."""
    house = lived_in.opened_at(base, migrated)
    lived_in.live_in(house)
    partners = base / "partners"
    (partners / "lindeby.yaml").write_text(lived_in.PARTNER.replace("status: live", "status: live\nstaff: [lise]"))
    (partners / "havnsund.yaml").write_text(HAVNSUND)
    (partners / "molendal.yaml").write_text(BROKEN)
    inbox = base / "home" / "inbox" / "havnsund"
    inbox.mkdir(parents=True)
    (inbox / "patrons_1.csv").write_text("H1;2990044444;040440-4444;Hugo Havn;hugo@havn.example;\r\nH2;broken\r\n")
    (inbox / HOSTILE_NAME).write_text("H1;2990044444;040440-4444;Hugo Havn;hugo@havn.example;\r\nH3;;050550-5555;Hanne Havn;;\r\n")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("loans.csv", "H4;H1;;2026-10-04;\r\n" * 500)
    (inbox / "loans_1.zip").write_bytes(archive.getvalue()[:-60])
    for _ in range(4):
        for one in look(house.engine, patience=10):
            try:
                house.run(one.id)
            except BinderyError:
                lived_in.acknowledge(house.engine, one.id, lived_in.people)
    with house.engine.ledger.autocommit() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


@dataclass
class BoardHouse:
    """The installation, its board, and browsers of several people."""

    engine: Engine
    app: FastAPI

    @classmethod
    def at(cls, base: Path, built: Path) -> BoardHouse:
        """A copy of `built` in `base`, for one test's own changes."""
        shutil.copytree(built, base, dirs_exist_ok=True)
        engine = lived_in.opened_at_again(base)
        return cls(engine, create(lambda: engine, users, secret=SECRET))

    @property
    def ledger(self) -> Ledger:
        return self.engine.ledger

    def browser(self, name: str | None = ENGINEER, **headers: str) -> TestClient:
        """A browser in which `name` has logged in; None is nobody. Addresses are those of the mounted board: /bindery/..."""
        outer = Starlette(routes=[Mount("/bindery", self.app)])
        more = {"x-user": name} if name else {}
        return TestClient(outer, base_url="http://board.test", headers={**more, **headers}, follow_redirects=False)

    def post(self, path: str, name: str = ENGINEER, **form: str | list[str]):
        """What a form of the board sends."""
        fields = {csrf.FIELD: csrf.token(SECRET, name), **form}
        return self.browser(name).post(f"/bindery{path}", data=fields)

    def delivery(self, partner: str, **asked: object):
        """The newest delivery of a partner that fits."""
        return deliveries.find(self.ledger, partner=partner, **asked)[0]  # type: ignore[arg-type]


def users(request: Request) -> Person:
    """Who asks, in place of Airflow's login."""
    name = request.headers.get("x-user")
    if not name:
        raise HTTPException(401)
    return Person(name, name == ENGINEER)
