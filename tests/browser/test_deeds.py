"""Each action of the board, done by its own button inside a running Airflow with its own scheduler. `make deeds` does this alone, and tells of it.

A form that is added to the board tomorrow fails the last lines until it is sent here, and so does a button with a value that a form gains.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from include.engine.delivery import IN_FLIGHT, State
from include.engine.engine import ROOT
from include.engine.ledger import audit, deliveries
from plugins.board.app import PAGES
from plugins.board.pages.delivery import may_say
from plugins.board.viewer import Viewer
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
TEMPLATES = ROOT / "plugins" / "board" / "templates"
OURS, OTHER = "havnsund", "lindeby"
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
        until(lambda: not desk.required())  # what the board answered is no question in Airflow any more
        again = [one for one in deliveries.find(desk.ledger, partner=OURS) if one.id in waiting]
        assert sorted((one.table, one.state, one.counts.published, one.counts.quarantined) for one in again) == [
            ("fee", State.ACKNOWLEDGED, 1, 0),
            ("hold", State.BLOCKED, 0, 0),
            ("item", State.ACKNOWLEDGED, 0, 1),
            ("item", State.ACKNOWLEDGED, 1, 0),
            ("patron", State.ACKNOWLEDGED, 0, 2),
        ]
    assert Counter(one.action for one in audit.find(desk.ledger, who="Anonymous")) == AUDITED
    assert {path for path, _ in _pressed(desk, "")} == set(_posts())
    offered = {(path, name, value) for sent, name, value in desk.offered for path in _paths(sent)}
    assert offered == {(path, name, value) for path, name, value in offered if (path, value) in _pressed(desk, name)}, "not pressed"
    assert _written() <= {(name, value) for _, name, value in offered}, "in a template, and on no page that was seen"


def _in(desk: Desk, *states: State) -> set[str]:
    return {one.id for one in deliveries.find(desk.ledger, states=states)}


def _posts() -> dict[str, re.Pattern[str]]:
    """The paths of everything that a page of the board can send."""
    routes = [route for page in PAGES for route in page.router.routes]
    return {route.path: route.path_regex for route in routes if "POST" in route.methods}


def _paths(sent: str) -> list[str]:
    return [path for path, pattern in _posts().items() if pattern.match(sent)]


def _pressed(desk: Desk, name: str) -> set[tuple[str, str]]:
    """Where forms were sent to, and what they said under `name`."""
    return {(path, form.get(name, "")) for sent, form in desk.sent for path in _paths(sent)}


def _written() -> set[tuple[str, str]]:
    """The name and value of each button in the board's templates that says one, and each answer that the page of a delivery may offer."""
    tags = [tag for file in TEMPLATES.glob("*.html") for tag in re.findall(r"<button\b[^>]*\bvalue=[^>]*>", file.read_text())]
    found = {(_attribute(tag, "name"), _attribute(tag, "value")) for tag in tags}
    assert {value for _, value in found if "{{" in value} == {"{{ what }}"}, "what else a page's code may say belongs below"
    engineer = Viewer("anne", "engineer", None)
    answers = {("say", said) for state in State for said in may_say(engineer, state, kept=True, dismissed=False)}
    return {pair for pair in found if "{{" not in pair[1]} | answers


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else ""
