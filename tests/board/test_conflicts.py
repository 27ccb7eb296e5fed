"""What self-service said and the library system does not agree with: on the overview, and with both sides on its partner's page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from include.engine import clock
from include.engine.ledger import conflicts
from include.engine.ledger.conflicts import Conflict
from tests.board.house import STAFF, BoardHouse
from tests.board.test_pages import read


def test_conflicts_are_shown_to_who_may_see_the_partner_until_they_are_closed(own_house: BoardHouse) -> None:
    at = clock.now() - timedelta(hours=3)
    one = Conflict("lindeby", "j1", 7, "people_import", at, "selfcheck1", "main", "checkout", "3000001", "ok, due 2026-12-18", "no, CARD_EXPIRED",
                   "CARD_EXPIRED", "Kortet er udløbet")  # fmt: skip
    conflicts.enter(own_house.ledger, "lindeby", "j1", [one, replace(one, number=9, item="3000002")])
    conflicts.enter(own_house.ledger, "havnsund", "j2", [replace(one, partner="havnsund", source="j2")])
    overview = read(own_house, "/")
    assert "Lindeby Biblioteker people_import 2 times the library system does not agree with what a machine told a patron" in overview
    assert "2 conflicts" in overview and "1 conflict" in overview
    assert "1 conflict" not in read(own_house, "/", STAFF)  # which is another library's
    page = read(own_house, "/partners/lindeby", STAFF)
    assert "selfcheck1 main checkout 3000001 ok, due 2026-12-18 no, CARD_EXPIRED Kortet er udløbet" in page and "3000002" in page
    conflicts.enter(own_house.ledger, "lindeby", "j1", [], [7, 9])
    assert "selfcheck1" not in read(own_house, "/partners/lindeby", STAFF)
