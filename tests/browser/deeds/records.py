"""What is done on the page of a record that was set aside: mended, told of, discarded, replayed, revealed; and what went through is traced."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.deeds.desk import Desk


def first_of(desk: Desk, watched: str) -> None:
    """Go to the first of the records that were set aside of a dropped file, which is through."""
    desk.open(watched)
    desk.follow("Look at them")
    desk.follow(desk.board.locator("table.quarantine th a").first)


def mends(desk: Desk) -> str:
    """The item on this page gets a day and a barcode; returns the page's address."""
    page = desk.board.url
    desk.board.get_by_label("dateaccessioned").fill("2026-12-02")
    desk.board.get_by_label("barcode").fill("3000000000009")
    desk.press("Deliver the mended record")
    desk.says("The mended record is on its way")
    return page


def tells_the_library(desk: Desk) -> None:
    desk.board.get_by_label("Your own words above it").fill("See the date.")
    desk.press("Send the report")
    desk.says("The partner has been told.")


def discards(desk: Desk) -> None:
    desk.board.get_by_role("textbox", name="Note").fill("a test item")
    desk.press("Discard this record")
    desk.says("The record is discarded.")


def replays(desk: Desk) -> None:
    desk.press("Replay this record")
    desk.says("A new delivery is on its way")


def reveals(desk: Desk) -> None:
    desk.board.get_by_label("Why do you need to see it?").fill("the library asked")
    desk.press("Reveal")
    desk.says("Shown as it is")


def replays_all_of_its_reason(desk: Desk, count: int) -> None:
    desk.press(f"Replay all {count} with this reason")
    desk.says("A new delivery is on its way")


def traces(desk: Desk, file: str, deliveries: int) -> None:
    """Every delivery that a file has been in."""
    desk.follow("Trace")
    desk.board.get_by_label("What to trace").fill(file)
    desk.press("Trace")
    expect(desk.board.get_by_role("heading", name=f"{deliveries} deliveries")).to_be_visible()
