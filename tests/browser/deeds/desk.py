"""An Airflow with two libraries, and the board in its frame, at which a person sits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Browser, Frame, Locator, Request, expect

from include.engine.engine import ROOT
from include.engine.ledger import Ledger
from include.sandbox.airflow import Airflow, running
from tests.house import MASTER

PATIENCE = 300_000
"""Milliseconds that anything may take: nothing is proved by its shortness."""
DAGS = ("dispatch", "ils_import", "approve")
"""The others would only be read, and started by their schedules."""
LIBRARY = """\
name: {name}
timezone: Europe/Copenhagen
language: da
status: live
flows:
  ils_import:
    profile: koha
    inbox: file:inbox/{id}
    every: 0s
    ready: {{stable_for: 0s}}
    deliveries:
      - {{table: hold, files: "holds_*", mode: delta}}
      - {{table: item, files: "items_*", mode: delta}}
      - {{table: patron, files: "patrons_*", mode: delta}}
      - {{table: fee, files: "fees_*", mode: delta, records: 2..100}}
      - {{table: loan, files: "loans_*", mode: delta, loans: history, records: 2..100}}
"""
LIBRARIES = {"havnsund": "Havnsund Forskningsbibliotek", "lindeby": "Lindeby Biblioteker"}
STATE = ".title-row .state"
_FORM = "application/x-www-form-urlencoded"
_SAYS = "buttons => buttons.map(button => [button.form.action, button.name, button.value])"


@dataclass
class Desk:
    """The board in Airflow's frame, and the ledger behind it. `sent` is every form that was sent: its path, and its fields. `offered` is every
    button with a value of its own on any page that was seen: the path that its form is sent to, its name and its value."""

    board: Frame
    root: str
    ledger: Ledger
    airflow: Airflow
    sent: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    offered: set[tuple[str, str, str]] = field(default_factory=set)

    def open(self, path: str) -> None:
        """A page of the board; one that was opened before may be given by its whole address."""
        self.board.goto(path if path.startswith("http") else f"{self.root}{path}")
        self._look()

    def follow(self, link: str | Locator) -> None:
        """Click a link, by its words, and be there."""
        with self.board.expect_navigation():
            (self.board.get_by_role("link", name=link, exact=True) if isinstance(link, str) else link).click()
        self._look()

    def press(self, button: str) -> str:
        """Press the button with these words, and be where that leads; returns the address."""
        with self.board.expect_navigation():
            self.board.get_by_role("button", name=button, exact=True).click()
        print(f"{time.strftime('%X')} pressed: {button}", flush=True)
        self._look()
        return self.board.url

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait until this stands on the page."""
        expect(self.board.get_by_text(text).first).to_be_visible()

    def is_seen_as(self, page: str, state: str) -> None:
        """Look at the page of a delivery or a record until it is in the state; such a page stays as it was opened."""

        def reached() -> bool:
            self.open(page)
            return self.board.locator(STATE).inner_text().strip() == state

        until(reached)

    def drop(self, library: str, name: str, content: bytes) -> str:
        """Drop a file into the library's inbox on the page for it; returns the address of the page where it is watched."""
        self.open(f"/upload?partner={library}")
        self.board.set_input_files("input[type=file]", files=[{"name": name, "mimeType": "text/plain", "buffer": content}])
        address = self.press("Drop it")
        self.says("It lies in the inbox")
        return address

    def comes_to(self, watched: str, state: str) -> None:
        """Watch a dropped file until it is in the state: that page keeps up by itself."""
        self.open(watched)
        expect(self.board.locator(STATE)).to_have_text(state)

    def dispatch(self) -> None:
        """A round of dispatch, from its beginning to its end: it takes what may be taken now. One comes each minute anyway."""
        run = asked(self.airflow, "dags/dispatch/dagRuns", {"logical_date": None})["dag_run_id"]
        until(lambda: asked(self.airflow, f"dags/dispatch/dagRuns/{run}")["state"] in {"success", "failed"})

    def required(self) -> list[dict[str, Any]]:
        """The questions that stand under Airflow's own Required Actions."""
        query = "response_received=false&state=deferred&state=awaiting_input"
        found: list[dict[str, Any]] = asked(self.airflow, f"dags/~/dagRuns/~/hitlDetails?{query}")["hitl_details"]
        return found

    def note(self, request: Request) -> None:
        """Keep what a form has sent to the board."""
        if request.method == "POST" and request.url.startswith(f"{self.root}/"):
            form = dict(parse_qsl(request.post_data or "")) if request.headers.get("content-type") == _FORM else {}
            self.sent.append((_path(request.url), form))

    def _look(self) -> None:
        """Keep what the buttons of this page can say."""
        buttons = self.board.locator("form[method=post] button[value]")
        self.offered |= {(_path(action), name, value) for action, name, value in buttons.evaluate_all(_SAYS)}


def _path(address: str) -> str:
    return urlsplit(address).path.removeprefix("/bindery")


def until(true: Callable[[], bool]) -> None:
    """Ask twice a second."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.5)


def asked(airflow: Airflow, path: str, body: dict[str, Any] | None = None) -> Any:
    """What Airflow answers, in the end: a busy one may refuse, or take too long, and a question that is put twice does no harm here."""
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            return airflow.api(path, body)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


@contextmanager
def sitting_at(home: Path, chromium: Browser) -> Iterator[Desk]:
    """A desk at an Airflow of its own, in the empty folder `home`."""
    (home / "partners").mkdir()
    for id, name in LIBRARIES.items():
        (home / "partners" / f"{id}.yaml").write_text(LIBRARY.format(id=id, name=name))
        (home / "inbox" / id).mkdir(parents=True)
    (home / "dags").mkdir()
    for dag in DAGS:
        (home / "dags" / f"{dag}.py").symlink_to(ROOT / "dags" / f"{dag}.py")
    more = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "BINDERY_PARTNERS": str(home / "partners"),
    }
    with running(home, MASTER | more) as airflow:
        page = chromium.new_page(viewport={"width": 1280, "height": 900}, locale="en")
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        until(lambda: {one["dag_id"] for one in asked(airflow, "dags")["dags"]} >= set(DAGS))
        page.goto(f"{airflow.url}/plugin/bindery/bindery/")
        board = page.locator("iframe").element_handle().content_frame()
        assert board is not None
        desk = Desk(board, f"{airflow.url}/bindery", Ledger(f"sqlite:///{home}/ledger.db"), airflow)
        page.on("request", desk.note)
        try:
            yield desk
        finally:
            page.close()
            expect.set_options(timeout=None)  # as it was: Playwright's own
