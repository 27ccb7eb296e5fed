"""Every page of the board as people see it: wide and narrow, light and dark, by keyboard, and with axe-core looking for what shuts people out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

from include.engine.delivery import State
from include.engine.engine import Engine
from include.engine.ledger import conflicts, deliveries
from include.engine.ledger.conflicts import Conflict
from plugins.board.pages import upload
from tests.board.busy import NOW
from tests.browser.conftest import LOOKED, PICTURES

WIDE, NARROW = (1280, 900), (400, 800)
FRAME = 1195
"""Pixels that are left of 1280 by Airflow's navigation and a scroll bar."""
PAGES = {
    "overview": "/",
    "deliveries": "/deliveries",
    "delivery": "/deliveries/{delivery}",
    "held": "/deliveries/{held}",
    "blocked": "/deliveries/{blocked}",
    "tab": "/run/ils_import/{delivery}",
    "no_tab": "/run/ils_import/manual",
    "quarantine": "/quarantine",
    "contracts": "/contracts",
    "contract": "/contracts/ils_patron",
    "document": "/contracts/ils_patron/document",
    "partners": "/partners",
    "partner": "/partners/molendal",
    "mistakes": "/partners/sondervig",
    "nothing": "/nothing",
}
GONE = {"no_tab", "nothing"}
"""What is not there answers 404, which the browser writes on its console."""
DOCUMENTS = {"document", "docs"}
"""What answers in a sandbox, where axe-core would wait for ever. Without it everything is asked for that a page would ask for, so more is seen of that."""
KEPT = {("overview", NARROW): "board_overview_narrow", ("delivery", WIDE): "board_delivery", ("mistakes", WIDE): "board_partner"}
"""The pictures of the documentation. Those inside Airflow are taken by hand, from the demo."""
GRAVE = {"serious", "critical"}


def address(engine: Engine, name: str) -> str:
    """The path of a page of PAGES."""
    with_records = deliveries.find(engine.ledger, partner="lindeby", table="item", states=[State.ACKNOWLEDGED])
    return PAGES[name].format(
        delivery=next(one.id for one in with_records if one.counts.quarantined),
        held=deliveries.find(engine.ledger, states=[State.HELD])[0].id,
        blocked=deliveries.find(engine.ledger, states=[State.BLOCKED])[0].id,
    )


def opened(chromium: Browser, size: tuple[int, int], scheme: str, language: str = "en", *, sandbox: bool = True) -> tuple[Page, list[str]]:
    """A page of a fresh browser, and everything that it complains of or asks for elsewhere."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale=language, reduced_motion="reduce",  # type: ignore[arg-type]
        bypass_csp=not sandbox,
    )  # fmt: skip
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} and not _icon(message) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(("http://127.0.0.1:", "data:")) else None)
    return page, wrong


def _icon(message: ConsoleMessage) -> bool:
    """A document by itself has no icon, and the browser asks the server for one where its policy does not forbid it."""
    return message.location["url"].endswith("/favicon.ico")


def looked_at(page: Page, size: tuple[int, int]) -> None:
    """It does not scroll sideways, and axe-core finds nothing that shuts people out."""
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0], "it scrolls sideways"
    faults = [
        f"{fault['id']} ({fault['impact']}): {fault['nodes'][0]['html'][:200]} {fault['nodes'][0]['failureSummary'][:300]}"
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in GRAVE
    ]
    assert faults == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide and light", "narrow and dark"])
def test_a_page_can_be_used_by_everybody(
    chromium: Browser, board: str, busy_engine: Engine, name: str, size: tuple[int, int], scheme: str
) -> None:
    page, wrong = opened(chromium, size, scheme, sandbox=name not in DOCUMENTS)
    answer = page.goto(board + address(busy_engine, name))
    assert answer is not None and answer.status == (404 if name in GONE else 200)
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / f"board_{name}_{size[0]}.png", full_page=True)
    looked_at(page, size)
    assert [one for one in wrong if name not in GONE or "404" not in one] == []
    if PICTURES is not None and (name, size) in KEPT:
        page.screenshot(path=PICTURES / f"{KEPT[name, size]}.png", full_page=size == WIDE)
    page.context.close()


@pytest.mark.parametrize("language", ["en", "da", "sv", "nl"])
def test_the_overview_fits_in_airflows_frame_in_each_language(chromium: Browser, board: str, language: str) -> None:
    page, _ = opened(chromium, (FRAME, 900), "light", language)
    page.goto(f"{board}/")
    assert page.locator(".matrix thead th").count() == 8, "a partner and the seven flows of today"
    assert page.locator(".table", has=page.locator(".matrix")).evaluate("one => one.scrollWidth <= one.clientWidth")
    page.context.close()


def test_however_many_flows_there_are_the_page_does_not_scroll_sideways(chromium: Browser, board: str) -> None:
    page, _ = opened(chromium, WIDE, "light")
    page.goto(f"{board}/")
    page.evaluate(
        "document.querySelectorAll('.matrix tr').forEach(row => {"
        " const one = row.querySelector('.cell') ?? row.lastElementChild;"
        " for (let n = 0; n < 12; n++) row.append(one.cloneNode(true)); })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDE[0]
    table = page.locator(".table", has=page.locator(".matrix"))
    assert table.evaluate("one => one.scrollWidth > one.clientWidth")
    table.evaluate("one => one.scrollLeft = one.scrollWidth")
    assert page.locator(".matrix tbody th").first.is_visible() and page.locator(".matrix tbody th").first.bounding_box()["x"] >= 0  # type: ignore[index]
    page.context.close()


def test_everything_can_be_reached_by_keyboard_and_the_first_stop_skips_the_frame(chromium: Browser, board: str) -> None:
    page, _ = opened(chromium, WIDE, "light")
    page.goto(f"{board}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    links, reached = page.locator("main a").count(), set()
    for _ in range(links):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('main a')].indexOf(document.activeElement)"))
    assert reached == set(range(links))
    focus = page.evaluate("getComputedStyle(document.querySelector('main a:focus-visible') ?? document.activeElement).outlineStyle")
    assert focus == "solid"
    page.context.close()


@pytest.mark.parametrize(("language", "title"), [("da", "Overblik"), ("sv", "Översikt"), ("nl", "Overzicht")])
def test_it_speaks_the_language_of_the_browser_and_of_the_switch(chromium: Browser, board: str, language: str, title: str) -> None:
    page, _ = opened(chromium, NARROW, "light", language)
    page.goto(f"{board}/")
    assert page.locator("h1").inner_text() == title
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    beside = "items => items.every(one => one.querySelector('a').offsetLeft > one.querySelector('.icon').getBoundingClientRect().right)"
    assert page.locator(".troubles li:has(a)").evaluate_all(beside), (
        "a sign stands alone on its line: a name and its flow are too long to stay beside it"
    )
    page.get_by_role("link", name="English").click()
    assert page.locator("h1").inner_text() == "Overview"
    page.get_by_role("link", name="Partners").first.click()
    assert page.locator("h1").inner_text() == "Partners"  # and remembers it
    page.context.close()


def test_a_partner_is_paused_and_goes_on_again(chromium: Browser, board: str) -> None:
    page, wrong = opened(chromium, WIDE, "light")
    page.goto(f"{board}/partners/almvik")
    page.get_by_role("button", name="Pause OAI-PMH harvest").click()
    assert page.get_by_text("Paused by erik").is_visible()
    page.goto(f"{board}/")
    assert page.locator("tr", has_text="Almviks").get_by_text("paused").is_visible()
    page.goto(f"{board}/partners/almvik")
    page.get_by_role("button", name="Go on OAI-PMH harvest").click()
    assert page.get_by_text("Paused by erik").count() == 0
    assert page.locator("tr", has_text="resume").first.is_visible()
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide and light", "narrow and dark"])
def test_of_many_inboxes_one_is_chosen_first(
    chromium: Browser, board: str, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], scheme: str
) -> None:
    monkeypatch.setattr(upload, "_MOST_FORMS", 2)
    page, wrong = opened(chromium, size, scheme)
    page.goto(f"{board}/upload")
    looked_at(page, size)
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / f"choice_{size[0]}.png", full_page=True)
    page.get_by_role("link", name="Lindeby Biblioteker").click()
    assert page.locator("form.drop").count() == 1
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide and light", "narrow and dark"])
def test_what_self_service_said_wrongly_is_dealt_with(
    chromium: Browser, board: str, busy_engine: Engine, size: tuple[int, int], scheme: str
) -> None:
    one = Conflict("lindeby", scheme, 7, "circulation_journal", NOW - timedelta(hours=5), "selfcheck1", "main", "checkout", "3000000000017",
                   "ok, due 2026-12-18", "no, CARD_EXPIRED", "CARD_EXPIRED", "Kortet er udløbet")  # fmt: skip
    conflicts.enter(
        busy_engine.ledger, "lindeby", scheme, [replace(one, number=number, item=f"300000000{number}") for number in (1203, 1204)]
    )
    page, wrong = opened(chromium, size, scheme)
    page.goto(f"{board}/partners/lindeby")
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / f"conflicts_{size[0]}.png", full_page=True)
    page.get_by_role("checkbox", name="1203 Dealt with").check()
    page.get_by_label("Note").fill("the card is renewed")
    page.get_by_role("button", name="Dealt with").click()
    page.get_by_text("Dealt with in the last 90 days").click()
    assert page.locator("tr", has_text="erik").get_by_text("the card is renewed").first.is_visible()
    looked_at(page, size)
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / f"dealt_{size[0]}.png", full_page=True)
    page.get_by_role("checkbox", name="1204 Dealt with").check()
    page.get_by_role("button", name="Dealt with").click()
    assert page.get_by_role("checkbox").count() == 0
    assert conflicts.standing(busy_engine.ledger, partner="lindeby") == []
    assert wrong == []
    page.context.close()


def test_the_overview_keeps_up_by_itself(chromium: Browser, board: str) -> None:
    page, wrong = opened(chromium, WIDE, "light")
    page.clock.install()
    page.goto(f"{board}/")
    page.evaluate("document.querySelector('main h1').textContent = 'old'")
    with page.expect_response(lambda answer: answer.request.headers.get("x-refresh") == "1"):
        page.clock.run_for(31_000)
    page.wait_for_function("document.querySelector('main h1').textContent === 'Overview'")
    assert wrong == []
    page.context.close()
