"""What self-service said and the library system does not agree with: on the overview, with both sides on its partner's page, and dealt with there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from include.engine import clock
from include.engine.alerts.standing import standing
from include.engine.ledger import audit, conflicts
from include.engine.ledger.conflicts import Conflict
from tests.board.house import ENGINEER, STAFF, STRANGER, BoardHouse
from tests.board.test_pages import read

AT = clock.now() - timedelta(hours=3)
ONE = Conflict("lindeby", "j1", 7, "people_import", AT, "selfcheck1", "main", "checkout", "3000001", "ok, due 2026-12-18", "no, CARD_EXPIRED",
               "CARD_EXPIRED", "Kortet er udløbet")  # fmt: skip
PAGE = "/partners/lindeby"


def entered(house: BoardHouse, *numbers: int) -> None:
    conflicts.enter(house.ledger, "lindeby", "j1", [replace(ONE, number=number, item=f"30000{number:02}") for number in numbers])


def test_conflicts_are_shown_to_who_may_see_the_partner_until_they_are_closed(own_house: BoardHouse) -> None:
    conflicts.enter(own_house.ledger, "lindeby", "j1", [ONE, replace(ONE, number=9, item="3000002")])
    conflicts.enter(own_house.ledger, "havnsund", "j2", [replace(ONE, partner="havnsund", source="j2")])
    overview = read(own_house, "/")
    assert "Lindeby Biblioteker people_import 2 times the library system does not agree with what a machine told a patron" in overview
    assert "2 conflicts" in overview and "1 conflict" in overview
    assert "1 conflict" not in read(own_house, "/", STAFF)  # which is another library's
    page = read(own_house, PAGE, STAFF)
    assert "selfcheck1 main checkout 3000001 ok, due 2026-12-18 no, CARD_EXPIRED Kortet er udløbet" in page and "3000002" in page
    conflicts.enter(own_house.ledger, "lindeby", "j1", [], [7, 9])
    page = read(own_house, PAGE, STAFF)
    assert "selfcheck1" not in page and "closed at the sidecar 9 checkout 3000002" in page


def test_what_is_dealt_with_stands_no_longer_and_is_in_the_audit_with_who_and_when(own_house: BoardHouse) -> None:
    entered(own_house, 7, 8, 9)
    answer = own_house.post(f"{PAGE}/conflicts", STAFF, which=["7 j1", "9 j1"], note="  called\n010190-1234,  all is well ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bindery{PAGE}#conflicts")
    assert [one.number for one in conflicts.standing(own_house.ledger, partner="lindeby")] == [8]
    assert [found.values["number"] for found in standing(own_house.engine) if found.kind == "conflict"] == [
        8
    ]  # nor does an alert tell of it
    said = "called ••••••-••••, all is well"
    found = audit.find(own_house.ledger, action="close_conflict")
    assert [(one.who, one.subject, one.detail) for one in found] == [
        (STAFF, "lindeby", {"conflict": number, "source": "j1", "note": said}) for number in (9, 7)
    ]
    page = read(own_house, PAGE, STAFF)
    assert f"lise 9 checkout 3000009 {said} the sidecar's own list still has it" in page and "Dealt with in the last 90 days" in page
    assert "close_conflict 9" in read(own_house, PAGE)
    assert own_house.post(f"{PAGE}/conflicts", ENGINEER, which=["7 j1", "8 j1"]).status_code == 303  # asked for twice, it happened once
    assert [(one.conflict.number, one.who) for one in conflicts.done(own_house.ledger, "lindeby")] == [
        (8, ENGINEER),
        (9, STAFF),
        (7, STAFF),
    ]
    assert "selfcheck1" not in read(own_house, PAGE)
    conflicts.enter(own_house.ledger, "lindeby", "j1", [], [7])  # the sidecar has closed it, too
    assert {one.conflict.number: one.open_there for one in conflicts.done(own_house.ledger, "lindeby")} == {7: False, 8: True, 9: True}


def test_only_who_may_see_the_partner_deals_with_its_conflicts(own_house: BoardHouse) -> None:
    entered(own_house, 7)
    for name in ("henrik", STRANGER):
        assert own_house.post(f"{PAGE}/conflicts", name, which="7 j1").status_code == 404
    for which in ([], ["7"], ["x j1"], ["7 j1", "-1 j1"], ["7" * 30 + " j1"]):
        assert own_house.post(f"{PAGE}/conflicts", which=which).status_code == 400, which
    assert own_house.post("/partners/havnsund/conflicts", which="7 j1").status_code == 303  # which has no such conflict
    assert [one.number for one in conflicts.standing(own_house.ledger)] == [7]


def test_of_many_conflicts_the_oldest_are_shown_and_the_rest_counted(own_house: BoardHouse) -> None:
    entered(own_house, *range(1, 104))
    page = own_house.browser(STAFF).get(f"/bindery{PAGE}").text
    assert page.count('name="which"') == 100 and "And 3 more" in page
