"""Nobody gets in without a login, nobody sees another library's data by any address, and no form of another site is answered.

Every test here walks all routes of the app: a page that is added tomorrow is walked tomorrow. A route with a part in its path that WITHIN does
not know fails, until somebody says what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from include.engine.ledger import deliveries, quarantined
from plugins.board import csrf
from plugins.board.viewer import Looking
from tests.board.house import ENGINEER, SECRET, STAFF, STRANGER, BoardHouse

WITHOUT_PARTNERS = {"/static/{name}"}
"""Routes that show the same to everybody who has logged in."""


def within(house: BoardHouse, partner: str) -> dict[str, list[str]]:
    """What may stand in each part of a path, and belongs to `partner`."""
    found = [one for one in _deliveries(house) if one.partner == partner]
    records = [row for one in found for row in quarantined.find(house.ledger, delivery_id=one.id)]
    return {
        "delivery": [one.id for one in found][:6],
        "run_id": [one.id for one in found][:3],
        "dag_id": ["people_import"],
        "partner": [partner],
        "record": [str(row.id) for row in records][:3] or ["1"],
        "contract": ["ils_patron", "patron"],
        "gate": ["incoming"],
        "kind": ["html", "text", "json", "mail"],
        "name": ["board.css"],
        "reason": sorted({row.reason for row in records}) or ["ROW_RAGGED"],
        "flow": ["people_import"],
        "sha256": [(one.content_hash or "sha256:0").removeprefix("sha256:") for one in found][:2],
    }


def addresses(house: BoardHouse, partner: str) -> Iterator[tuple[str, str, APIRoute]]:
    """Every method and address of the app, filled with what is `partner`'s."""
    values = within(house, partner)
    for route in house.app.routes:
        assert isinstance(route, APIRoute), f"{route} has no guard: what is mounted stands outside of it"
        names = re.findall(r"{(\w+)(?::\w+)?}", route.path)
        unknown = set(names) - set(values)
        assert not unknown, f"{route.path}: say in `within` what may stand for {unknown}"
        for number in range(max((len(values[name]) for name in names), default=1)):
            path = re.sub(r"{(\w+)(?::\w+)?}", lambda found, n=number: values[found[1]][n % len(values[found[1]])], route.path)
            for method in sorted(route.methods - {"HEAD"}):
                yield method, f"/bindery{path}", route


def _deliveries(house: BoardHouse) -> list:
    return deliveries.find(house.ledger, limit=1000)


def test_every_route_refuses_who_has_not_logged_in(house: BoardHouse) -> None:
    nobody = house.browser(None)
    walked = [(method, path, nobody.request(method, path)) for method, path, _ in addresses(house, "havnsund")]
    assert walked
    for method, path, answer in walked:
        assert answer.status_code == 401, (method, path)
        assert "havnsund" not in answer.text.lower().replace(path.lower(), "")  # what they wrote themselves is in the way to the login


def test_every_route_that_changes_something_refuses_a_form_without_its_token(house: BoardHouse) -> None:
    for name in (ENGINEER, STAFF):
        browser = house.browser(name)
        for method, path, _ in addresses(house, "lindeby"):
            if method == "GET":
                continue
            for form, headers in (
                ({}, {}),
                ({csrf.FIELD: csrf.token(SECRET, "somebody else")}, {}),
                ({csrf.FIELD: csrf.token(SECRET, name)}, {"origin": "http://elsewhere.test"}),
                ({csrf.FIELD: csrf.token(SECRET, name)}, {"sec-fetch-site": "cross-site"}),
            ):
                assert browser.request(method, path, data=form, headers=headers).status_code == 403, (method, path)


@pytest.mark.parametrize("name", [STAFF, STRANGER])
def test_staff_see_nothing_of_another_partner_by_any_address(house: BoardHouse, name: str) -> None:
    theirs = [one for one in _deliveries(house) if one.partner == "havnsund"]
    marks = {"havnsund", "hugo", "patrons_&lt;img", *(one.id for one in theirs), *(one.content_hash for one in theirs if one.content_hash)}
    browser = house.browser(name)
    questions = [
        "",
        "?partner=havnsund",
        "?q=H1",
        f"?q={theirs[0].id}",
        "?partner=havnsund&flow=people_import&state=blocked&reason=ROW_RAGGED",
        "?show=all",
    ]
    for method, path, route in addresses(house, "havnsund"):
        for question in questions if method == "GET" else [""]:
            form = {csrf.FIELD: csrf.token(SECRET, name), "partner": "havnsund", "delivery": theirs[0].id} if method != "GET" else None
            answer = browser.request(method, path + question, data=form)
            echoed = (*re.findall(r"[^/?&=]+", path + question), path + question)
            shown = answer.text.lower()
            for words in sorted(echoed, key=len, reverse=True):  # what the visitor wrote into the address is no news to them
                shown = shown.replace(f'value="{words.lower()}"', "").replace(f"={words.lower()}", "")
            found = [mark for mark in marks if mark.lower() in shown]
            assert not found, (method, path + question, found)
            if re.search(r"{(delivery|partner|record|run_id)", route.path):
                assert answer.status_code in {403, 404}, (method, path, answer.status_code)


def test_nothing_that_staff_may_not_do_is_done(own_house: BoardHouse) -> None:
    before = _deliveries(own_house)
    for method, path, _ in addresses(own_house, "havnsund"):
        if method != "GET":
            form = {csrf.FIELD: csrf.token(SECRET, STAFF), "partner": "havnsund", "flow": "people_import", "delivery": "x", "who": "me"}
            assert own_house.browser(STAFF).request(method, path, data=form).status_code >= 400, (method, path)
    assert _deliveries(own_house) == before


def test_every_answer_forbids_scripts_from_elsewhere_and_frames_of_others(house: BoardHouse) -> None:
    browser = house.browser()
    for method, path, _ in addresses(house, "lindeby"):
        headers = browser.request(method, path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy, path
        assert "script-src 'self'" in policy or "sandbox" in policy, path
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "SAMEORIGIN"


def test_a_guard_that_is_forgotten_shows_nothing(house: BoardHouse) -> None:
    app = FastAPI()

    @app.get("/")
    def page(viewer: Looking) -> str:
        return viewer.name

    assert TestClient(app).get("/").status_code == 401
