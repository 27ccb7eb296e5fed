"""What is done on the page of a library: a flow, or all of them, is paused and goes on; what self-service said wrongly is dealt with."""

from __future__ import annotations

from playwright.sync_api import expect

from include.engine import clock
from include.engine.ledger import conflicts
from include.engine.ledger.conflicts import Conflict
from tests.browser.deeds.desk import Desk


def pauses_a_flow(desk: Desk, library: str) -> None:
    """Nothing of the flow is taken until it goes on."""
    desk.open(f"/partners/{library}")
    desk.press("Pause Library system")
    desk.says("Paused by Anonymous")


def lets_the_flow_go_on(desk: Desk, library: str) -> None:
    desk.open(f"/partners/{library}")
    desk.press("Go on Library system")
    expect(desk.board.get_by_role("button", name="Pause Library system")).to_be_visible()


def pauses_the_library(desk: Desk, library: str) -> None:
    """Nothing of the library is taken until it goes on."""
    desk.open(f"/partners/{library}")
    desk.press("Pause every flow")
    desk.says("Paused by Anonymous")


def lets_the_library_go_on(desk: Desk, library: str) -> None:
    desk.open(f"/partners/{library}")
    desk.press("Let every flow go on")
    expect(desk.board.get_by_role("button", name="Pause every flow")).to_be_visible()


def deals_with_a_conflict(desk: Desk, library: str) -> None:
    """One of a kiosk's: put in here, as the DAG of its journal does."""
    one = Conflict(library, "j1", 1203, "circulation_journal", clock.now(), "selfcheck1", "main", "checkout", "3000000000017",
                   "ok, due 2026-12-18", "no, CARD_EXPIRED", "CARD_EXPIRED", "Kortet er udløbet")  # fmt: skip
    conflicts.enter(desk.ledger, library, "j1", [one])
    desk.open(f"/partners/{library}")
    desk.board.get_by_role("checkbox", name="1203 Dealt with").check()
    desk.press("Dealt with")
    desk.says("Dealt with in the last 90 days")
    expect(desk.board.get_by_role("checkbox")).to_have_count(0)
    assert conflicts.standing(desk.ledger, partner=library) == []
