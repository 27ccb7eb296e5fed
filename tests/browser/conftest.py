"""A real browser before a real server: Debian's Chromium, the board over HTTP, a fortnight of five libraries in its ledger.

Chromium comes with `bin/setup dev` where this user may install Debian packages; without it these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
import uvicorn
from playwright.sync_api import Browser, sync_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from include.engine.engine import ROOT, Engine
from include.sandbox.servers.ports import free_port
from plugins.board.app import create
from plugins.board.reads import costly
from plugins.board.viewer import Person
from tests.board.busy import NOW, busy
from tests.conftest import sqlite_ledger

costly.FACTOR = 0.0  # what a test has changed is seen at once, however busy the machine is


CHROMIUM = os.environ.get("BINDERY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = ROOT / "docs" / "pictures" if os.environ.get("BINDERY_PICTURES") else None
"""Where `make pictures` keeps them; a test run looks and keeps none."""
LOOKED = os.environ.get("BINDERY_LOOK")
"""A folder for a picture of every page, for who wants to look at them all."""


@pytest.fixture(scope="module")  # no longer: while Playwright is there, an event loop runs in this thread, and no other test can have one
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not installed: apt-get install chromium, or `make test` as a user who may")
    with sync_playwright() as playwright:
        # Without the sandbox only where it cannot be had: for root, as in a container. It loads this machine's own pages alone.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def busy_engine(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Engine:
    base = tmp_path_factory.mktemp("busy")
    return busy(base, sqlite_ledger(base / "ledger.db", migrated_file))


@pytest.fixture(scope="module")
def board(busy_engine: Engine) -> Iterator[str]:
    """The address of a board that an engineer looks at, at the moment NOW."""
    app = Starlette(routes=[Mount("/bindery", create(lambda: busy_engine, lambda: Person("erik", True), secret=b"pictures"))])
    with time_machine.travel(NOW, tick=True):
        yield from serving(app)


def serving(app: Starlette) -> Iterator[str]:
    """The app over HTTP on loopback until the end of the test."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/bindery"
    server.should_exit = True
    thread.join(timeout=10)
