"""Each action of the board, done by its own button inside a running Airflow with its own scheduler. `make deeds` does this alone, and tells of it.

A form that is added to the board tomorrow fails the last line until it is sent here.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from include.engine.delivery import IN_FLIGHT, State
from include.engine.ledger import audit, deliveries
from plugins.board.app import PAGES
from tests.board.library import BAD_ITEM, BAD_PATRON, GOOD_ITEMS, GOOD_PATRONS
from tests.browser.deeds import deliveries as delivery
from tests.browser.deeds import partners, records
from tests.browser.deeds.desk import Desk, sitting_at, until
from tests.flows.files import ITEMS, LOANS, PATRONS, csv, loan

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(1800)]
FEES = "accountlines_id,borrowernumber,itemnumber,debit_type_code,amount,amountoutstanding,date"
FEE = "1,1,1,OVERDUE,20.00,20.00,2026-03-02"
BAD_ITEMS = [BAD_ITEM.replace("9,9", f"{number},{number}") for number in (7, 8, 9)]
BAD_PATRONS = [BAD_PATRON, BAD_PATRON.replace("9,2990099", "8,2990098")]
OURS, OTHER = "havnsund", "lindeby"
SAY = {"/deliveries/{delivery}/answer": ("approve", "dismiss", "replay"), "/quarantine/{record}/replay": ("one", "reason")}
"""What the buttons of a form say where it has several."""
AUDITED = {
    "approve": 1, "close_conflict": 1, "discard": 1, "dismiss": 2, "mend": 1, "pause": 2, "replay": 4, "report": 1, "resume": 2,
    "reveal": 1, "upload": 6,
}  # fmt: skip


def test_each_action_of_the_board_is_done_by_its_button_in_a_running_airflow(tmp_path: Path, chromium: Browser) -> None:
    with sitting_at(tmp_path, chromium) as desk:
        partners.pauses_a_flow(desk, OTHER)
        desk.dispatch()  # a round that began before the pause has ended
        paused = desk.drop(OTHER, "items_1.csv", csv(ITEMS, GOOD_ITEMS))
        junk = desk.drop(OURS, "holds_1.csv", "æ".encode("utf-16"))
        few_fees = desk.drop(OURS, "fees_1.csv", csv(FEES, [FEE]))
        few_loans = desk.drop(OURS, "loans_1.csv", csv(LOANS, [loan(1)]))
        persons = desk.drop(OURS, "patrons_1.csv", csv(PATRONS, [*GOOD_PATRONS, *BAD_PATRONS]))
        items = desk.drop(OURS, "items_1.csv", csv(ITEMS, [*GOOD_ITEMS, *BAD_ITEMS]))
        desk.dispatch()
        for watched, state in ((items, "done"), (persons, "done"), (few_fees, "held"), (few_loans, "held"), (junk, "blocked")):
            desk.comes_to(watched, state)
        assert deliveries.find(desk.ledger, partner=OTHER) == [], "its flow is paused"

        partners.pauses_the_library(desk, OURS)
        desk.dispatch()
        coming = [(delivery.approves(desk, few_fees), "done"), (delivery.does_again(desk, junk), "blocked")]
        delivery.refuses(desk, few_loans)
        records.first_of(desk, items)
        coming.append((records.mends(desk), "taken in since"))
        records.tells_the_library(desk)
        desk.follow("The one before")
        records.discards(desk)
        desk.follow("The one before")
        records.replays(desk)
        records.first_of(desk, persons)
        records.reveals(desk)
        records.replays_all_of_its_reason(desk, len(BAD_PATRONS))
        waiting = _in(desk, State.SEEN)
        assert len(waiting) == 5
        partners.lets_the_flow_go_on(desk, OTHER)
        desk.dispatch()
        desk.comes_to(paused, "done")
        assert _in(desk, State.SEEN) == waiting, "the library is paused"

        coming.append((delivery.does_again(desk, paused), "done"))
        partners.lets_the_library_go_on(desk, OURS)
        desk.dispatch()
        for page, state in coming:
            desk.is_seen_as(page, state)
        delivery.dismisses(desk, junk)
        partners.deals_with_a_conflict(desk, OURS)
        records.traces(desk, "fees_1.csv", deliveries=2)
        until(lambda: not _in(desk, State.SEEN, *IN_FLIGHT))
        again = [one for one in deliveries.find(desk.ledger, partner=OURS) if one.id in waiting]
        assert sorted((one.table, one.state, one.counts.published, one.counts.quarantined) for one in again) == [
            ("fee", State.ACKNOWLEDGED, 1, 0),
            ("hold", State.BLOCKED, 0, 0),
            ("item", State.ACKNOWLEDGED, 0, 1),
            ("item", State.ACKNOWLEDGED, 1, 0),
            ("patron", State.ACKNOWLEDGED, 0, 2),
        ]
    assert Counter(one.action for one in audit.find(desk.ledger, who="Anonymous")) == AUDITED
    assert _pressed(desk) == {(path, said) for path in _posts() for said in SAY.get(path, ("",))}


def _in(desk: Desk, *states: State) -> set[str]:
    return {one.id for one in deliveries.find(desk.ledger, states=states)}


def _posts() -> dict[str, re.Pattern[str]]:
    """The paths of everything that a page of the board can send."""
    routes = [route for page in PAGES for route in page.router.routes]
    return {route.path: route.path_regex for route in routes if "POST" in route.methods}


def _pressed(desk: Desk) -> set[tuple[str, str]]:
    """Where forms were sent to, and what the button said where a form has several."""
    return {(path, said if path in SAY else "") for sent, said in desk.sent for path, pattern in _posts().items() if pattern.match(sent)}
