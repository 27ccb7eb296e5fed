"""No page of the board is left out: whatever address the router answers, a browser opens it wide and narrow in one of the two lists of pages."""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match

from include.engine.engine import Engine
from plugins.board.app import create
from plugins.board.viewer import Person
from tests.browser import test_board, test_records

NO_PAGES = {"/static/{name}"}


def no_engine() -> Engine:
    raise AssertionError("nothing is asked of it: the routes are only read")


def answering(app: FastAPI, path: str) -> str:
    """The route that answers an address; empty for an address that nothing answers."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": ""}
    return next((one.path for one in app.routes if isinstance(one, APIRoute) and one.matches(scope)[0] == Match.FULL), "")


def test_each_page_that_the_router_answers_is_opened_in_a_browser() -> None:
    app = create(no_engine, lambda: Person("erik", True), secret=b"routes")
    pages = {one.path for one in app.routes if isinstance(one, APIRoute) and "GET" in one.methods} - NO_PAGES
    visited = [path for path in (*test_board.PAGES.values(), *test_records.PAGES.values()) if isinstance(path, str)]
    opened = {answering(app, re.sub(r"\?.*", "", path).replace("{", "").replace("}", "")) for path in visited}
    assert pages - opened == set(), "say in test_board.PAGES or test_records.PAGES where each of these can be seen"
