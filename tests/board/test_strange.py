"""Whatever stands in an address or a form, a page answers, or says that there is no such thing: no question breaks it, on neither database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from include.engine.ledger import Ledger, deliveries
from plugins.board import csrf
from plugins.board.app import create
from plugins.board.viewer import Person
from tests.board.house import BoardHouse

STRANGE = [
    "%00", "a%00b", "%ED%A0%80", "%FF", *map(quote, (
        "9" * 30, "-1", "9999-12-31", "0001-01-01", f"2026-01-01T00:00:00+00:00~{'9' * 30}", "0001-01-01T00:00:00+14:00~1",
        "../../etc/passwd", "x" * 3000, "{due}%_\\[(*'\"--", "nan", "\N{ARABIC-INDIC DIGIT THREE}",
    )),
]  # fmt: skip
SECRET = b"strange"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def board(request: pytest.FixtureRequest, house: BoardHouse) -> Iterator[tuple[TestClient, list[APIRoute], dict[str, str]]]:
    """A lived-in installation; and the same with an empty ledger on PostgreSQL, which refuses other things."""
    engine = house.engine
    one = deliveries.find(engine.ledger, partner="lindeby", limit=1)[0]
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        with Ledger(url).autocommit() as connection:
            connection.exec_driver_sql("CREATE DATABASE board_strange")
        engine = replace(engine, ledger=Ledger(url.replace("/postgres?", "/board_strange?")))
        engine.ledger.migrate()
    app = create(lambda: engine, lambda: Person("erik", True), secret=SECRET)
    outer = Starlette(routes=[Mount("/bindery", app)])
    with TestClient(outer, raise_server_exceptions=False, follow_redirects=False) as browser:
        right = {"delivery": one.id, "run_id": one.id, "dag_id": one.flow, "flow": one.flow, "partner": one.partner, "record": "1"}
        right |= {
            "contract": "ils_patron",
            "gate": "incoming",
            "kind": "html",
            "name": "board.css",
            "reason": "ROW_RAGGED",
            "sha256": "0" * 64,
        }
        yield browser, [route for route in app.routes if isinstance(route, APIRoute)], right


def _filled(path: str, right: dict[str, str], **other: str) -> str:
    return "/bindery" + re.sub(r"{(\w+)(?::\w+)?}", lambda found: other.get(found[1], right[found[1]]), path)


def test_no_address_breaks_a_page(board) -> None:
    browser, routes, right = board
    asked = set()
    for route in routes:
        if "GET" not in route.methods:
            continue
        for value in STRANGE:
            asked |= {_filled(route.path, right, **{name: value}) for name in re.findall(r"{(\w+)", route.path)}
            asked |= {f"{_filled(route.path, right)}?{one.name}={value}" for one in route.dependant.query_params}
    assert len(asked) > 300
    broken = [address[:200] for address in sorted(asked) if browser.get(address).status_code >= 500]
    assert broken == []


def test_no_form_breaks_a_page(board) -> None:
    browser, routes, right = board
    token = csrf.token(SECRET, "erik")
    broken = []
    for route in routes:
        names = [one.alias for one in route.dependant.body_params]
        for value in ("a\0b", "\ud800".encode("utf-8", "surrogatepass"), "x" * 100_000) if names else ():
            for name in names:
                answer = browser.post(_filled(route.path, right), data={csrf.FIELD: token, name: value})
                broken += [(route.path, name, value[:20])] if answer.status_code >= 500 else []
    assert broken == []


def test_a_day_at_the_end_of_the_calendar_asks_for_nothing(board) -> None:
    browser, _, _ = board
    for query in ("until=9999-12-31", "since=0001-01-01", "partner=lindeby&since=0001-01-01&until=9999-12-31"):
        assert browser.get(f"/bindery/quarantine?{query}").status_code == 200
    assert browser.get(f"/bindery/quarantine/{2**63}").status_code == 404
