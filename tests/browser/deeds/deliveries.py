"""What is done on the page of a delivery: one that is held is approved or refused, one that is blocked is dismissed, and any is done again.

`watched` is the page on which the dropped file is watched; the delivery has ended.
"""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.deeds.desk import STATE, Desk

DISMISS = "Dismiss: it is not coming"


def approves(desk: Desk, watched: str) -> str:
    """A yes to a held delivery; returns the page of the one that it makes."""
    _in_full(desk, watched)
    return desk.press("Approve: do it all the same")


def refuses(desk: Desk, watched: str) -> None:
    """A no to a held delivery: there is nothing left to approve."""
    _in_full(desk, watched)
    expect(desk.board.get_by_role("button", name="Approve")).to_have_count(1)
    desk.press(DISMISS)
    expect(desk.board.locator(STATE)).to_have_text("dismissed")
    expect(desk.board.get_by_role("button", name="Approve")).to_have_count(0)


def dismisses(desk: Desk, watched: str) -> None:
    """A blocked delivery is not waited for any more."""
    _in_full(desk, watched)
    desk.press(DISMISS)
    expect(desk.board.locator(STATE)).to_have_text("dismissed")


def does_again(desk: Desk, watched: str) -> str:
    """All of a delivery, from its kept bytes; returns the page of the new one."""
    _in_full(desk, watched)
    return desk.press("Do it again from the kept bytes")


def _in_full(desk: Desk, watched: str) -> None:
    desk.open(watched)
    desk.follow("The delivery in full")
