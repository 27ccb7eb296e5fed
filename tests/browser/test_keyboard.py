"""The board without a mouse: every stop of a page is reached in its order and is seen, and each deed is done with Tab, Enter, Space and letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page
from starlette.applications import Starlette
from starlette.routing import Mount

from include.engine.ledger import conflicts, deliveries, quarantined
from include.engine.ledger.conflicts import Conflict
from include.engine.ledger.quarantined import Fate
from tests.board.library import BAD_ITEM, BAD_PATRON, GOOD_ITEMS, GOOD_PATRONS, Library
from tests.browser.conftest import serving
from tests.browser.test_board import WIDE, opened
from tests.flows.files import GOOD, ITEMS, PATRONS, csv

STOPS = """[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
    .filter(one => one.checkVisibility())"""
"""Everything of a page that the keyboard should stop at, in the order in which it is read."""
SEEN = """one => { const [at, style] = [one.getBoundingClientRect(), getComputedStyle(one)];
    return style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2 && at.width > 0 && at.top < innerHeight && at.bottom > 0 && at.left >= 0; }"""
"""Whether who has the focus has a line around it, and is in view."""
MOST = 300


@dataclass
class Desk:
    """A library whose records, deliveries and conflicts may be dealt with."""

    library: Library
    url: str
    items: list[int]
    patron: int
    delivery: str
    blocked: str


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Desk]:
    library = Library(tmp_path_factory.mktemp("keyboard"), migrated_file)
    items = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, *(BAD_ITEM.replace("9,9", f"{n},{n}") for n in (7, 8, 9))]))
    patrons = library.aside("patrons_1.csv", csv(PATRONS, [*GOOD_PATRONS, BAD_PATRON]))
    blocked = library.house.deliver("items_2.csv", "æ".encode("utf-16"))
    for url in serving(Starlette(routes=[Mount("/bindery", library.board.app)])):
        yield Desk(library, url, [one.id for one in items], patrons[0].id, items[0].delivery_id, blocked.id)


@pytest.fixture
def page(chromium: Browser, desk: Desk) -> Iterator[Page]:
    """A page of a person without a mouse; whatever the browser complains of fails the test."""
    made, wrong = opened(chromium, WIDE, "light")
    made.context.set_extra_http_headers({"x-user": "erik"})
    yield made
    made.context.close()
    assert wrong == []


def tab_to(page: Page, to: Locator) -> None:
    """Tab until `to` has the focus, and look whether it is seen."""
    there = to.element_handle()
    page.wait_for_load_state()
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if there.evaluate("one => one === document.activeElement"):
            assert there.evaluate(SEEN), f"the focus on {to} is not seen"
            return
    pytest.fail(f"{to} cannot be reached by Tab")


def follow(page: Page, link: Locator) -> None:
    """To another page, by a link and Enter."""
    tab_to(page, link)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name)


PAGES: dict[str, Callable[[Desk], str]] = {
    "a delivery": lambda desk: f"/deliveries/{desk.delivery}",
    "a blocked delivery": lambda desk: f"/deliveries/{desk.blocked}",
    "the quarantine": lambda desk: "/quarantine?state=all",
    "a masked record": lambda desk: f"/quarantine/{desk.patron}",
    "a record": lambda desk: f"/quarantine/{desk.items[0]}",
    "uploads": lambda desk: "/upload",
    "a partner": lambda desk: "/partners/havnsund",
    "traces": lambda desk: "/trace",
    "a contract": lambda desk: "/contracts/ils_item",
}


@pytest.mark.parametrize("name", PAGES)
def test_every_stop_of_a_page_is_reached_in_the_order_in_which_it_is_read_and_seen(page: Page, desk: Desk, name: str) -> None:
    page.goto(desk.url + PAGES[name](desk))
    many, reached = page.evaluate(f"{STOPS}.length"), []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        at, seen = page.evaluate(f"(() => {{ const one = document.activeElement; return [{STOPS}.indexOf(one), ({SEEN})(one)] }})()")
        if at >= 0 and at not in reached[-1:]:  # a date has three stops of its own, and what scrolls is one too
            assert seen, f"the focus is not seen at {page.evaluate('document.activeElement.outerHTML.slice(0, 200)')}"
            assert at == len(reached), f"out of order: {page.evaluate('document.activeElement.outerHTML.slice(0, 200)')}"
            reached.append(at)
        if len(reached) == many:
            break
    assert reached == list(range(many)) and many > 10


def test_the_skip_link_leads_past_the_frame_and_the_languages_are_chosen_by_enter(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/quarantine/{desk.items[0]}")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement === document.querySelector('main a')")
    follow(page, page.get_by_role("link", name="Dansk"))
    assert page.get_by_role("heading", name="Hvad der skal ske med den").count() == 1


def test_a_record_is_found_replayed_mended_told_of_and_discarded_without_a_mouse(page: Page, desk: Desk) -> None:
    ledger = desk.library.house.engine.ledger
    page.goto(f"{desk.url}/quarantine")
    tab_to(page, page.get_by_label("File, delivery or words of the reason"))
    page.keyboard.type("items_1")
    page.keyboard.press("Enter")
    page.get_by_text("3 records").wait_for()
    follow(page, page.locator("table.quarantine a").last)
    tab_to(page, button(page, "Replay this record"))
    page.keyboard.press("Space")
    page.get_by_text("A new delivery is on its way").wait_for()
    tab_to(page, page.get_by_label("Your own words above it"))
    page.keyboard.type("See the date.")
    tab_to(page, button(page, "Send the report"))
    page.keyboard.press("Enter")
    page.get_by_text("The partner has been told.").wait_for()
    tab_to(page, page.get_by_label("dateaccessioned"))
    page.keyboard.type("2026-12-02")  # Tab has chosen what stood there
    tab_to(page, button(page, "Deliver the mended record"))
    page.keyboard.press("Space")
    page.get_by_text("The mended record is on its way").wait_for()
    assert len(deliveries.find(ledger, origin=desk.delivery)) == 2
    follow(page, page.get_by_role("link", name="The next one"))
    tab_to(page, page.get_by_role("textbox", name="Note"))
    page.keyboard.type("a test item")
    page.keyboard.press("Enter")
    page.get_by_text("The record is discarded.").wait_for()
    assert Fate.DISCARDED in {one.state for one in quarantined.find(ledger, delivery_id=desk.delivery)}


def test_a_masked_record_is_revealed_without_a_mouse(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/quarantine/{desk.patron}")
    tab_to(page, page.get_by_label("Why do you need to see it?"))
    page.keyboard.type("the library asked")
    page.keyboard.press("Enter")
    page.get_by_text("Shown as it is").wait_for()


def test_a_blocked_delivery_is_read_and_dismissed_without_a_mouse(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/deliveries/{desk.blocked}")
    tab_to(page, page.locator("summary", has_text="Every event"))
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1
    page.keyboard.press("Space")
    assert page.locator("details[open]").count() == 0
    page.reload()
    tab_to(page, button(page, "Dismiss: it is not coming"))
    page.keyboard.press("Enter")
    page.locator(".state", has_text="dismissed").first.wait_for()
    assert deliveries.get(desk.library.house.engine.ledger, desk.blocked).dismissed_at is not None


def test_a_file_is_dropped_without_a_mouse(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/upload")
    tab_to(page, page.get_by_label("File", exact=True))
    page.set_input_files("input[type=file]", files=[{"name": "items_9.csv", "mimeType": "text/csv", "buffer": GOOD}])
    tab_to(page, button(page, "Drop it"))
    page.keyboard.press("Enter")
    page.get_by_text("It lies in the inbox").wait_for()
    assert (desk.library.house.inbox / "items_9.csv").read_bytes() == GOOD


def test_a_partner_is_paused_and_goes_on_and_a_conflict_is_dealt_with_without_a_mouse(page: Page, desk: Desk) -> None:
    one = Conflict("havnsund", "j1", 1203, "circulation_journal", datetime(2026, 11, 22, 7, tzinfo=UTC), "selfcheck1", "main", "checkout", "3000000000017",
                   "ok, due 2026-12-18", "no, CARD_EXPIRED", "CARD_EXPIRED", "Kortet er udløbet")  # fmt: skip
    conflicts.enter(desk.library.house.engine.ledger, "havnsund", "j1", [one])
    page.goto(f"{desk.url}/partners/havnsund")
    for before, after, key in (
        ("Pause Library system", "Go on Library system", "Space"),
        ("Go on Library system", "Pause Library system", "Enter"),
        ("Pause every flow", "Let every flow go on", "Enter"),
        ("Let every flow go on", "Pause every flow", "Space"),
    ):
        tab_to(page, button(page, before))
        page.keyboard.press(key)
        button(page, after).wait_for()
    tab_to(page, page.get_by_role("checkbox", name="1203 Dealt with"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_label("Note"))
    page.keyboard.type("the card is renewed")
    tab_to(page, button(page, "Dealt with"))
    page.keyboard.press("Space")
    page.get_by_text("Dealt with in the last 90 days").wait_for()
    assert conflicts.standing(desk.library.house.engine.ledger, partner="havnsund") == []


def test_what_went_through_is_traced_without_a_mouse(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/trace")
    tab_to(page, page.get_by_label("What to trace"))
    page.keyboard.type("items_1.csv")
    page.keyboard.press("Enter")
    page.locator("ol.trace a").first.wait_for()
