"""Records, uploads and traces as people see them: wide and narrow, light and dark, with axe-core, and each deed by hand from end to end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.routing import Mount

from include.engine.gate.__main__ import page as data_docs
from include.engine.inbound.drop import drop
from include.engine.ledger import deliveries, quarantined
from include.engine.ledger.quarantined import Fate, Quarantined
from include.engine.partner.loading import load_partner
from include.engine.partner.settings import Partner
from plugins.board.pages import contracts
from tests.board.library import BAD_ITEM, BAD_PATRON, GOOD_ITEMS, GOOD_PATRONS, SCRIPT, Library
from tests.browser.conftest import LOOKED, PICTURES, serving
from tests.browser.test_board import DOCUMENTS, GRAVE, NARROW, WIDE, looked_at, opened
from tests.connectors.ils.marc_records import iso
from tests.flows.files import GOOD, ITEMS, NEIGHBOUR, PATRONS, csv

KEPT = {"marc": "board_record"}
FIELDS = [("020", b"  \x1fa978-87-00-00000-2"), ("100", b"1 \x1faHolm, Anne"), ("650", b" 0\x1fa\xc3\x86bler\x1fxDyrkning\x1fzDanmark")]


@dataclass
class Served:
    library: Library
    url: str
    rows: dict[str, Quarantined]
    dropped: str
    """The hash of a file that was dropped here and has gone through."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Served]:
    library = Library(tmp_path_factory.mktemp("records"), migrated_file)
    rows = {
        "item": library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM, BAD_ITEM.replace("9,9", "8,8")]))[0],
        "patron": library.aside("patrons_1.csv", csv(PATRONS, [*GOOD_PATRONS, BAD_PATRON]))[0],
        "marc": library.aside("bib_1.mrc", iso("t1", extra=FIELDS) + iso("t2", title=SCRIPT.encode(), extra=FIELDS)[:-12])[0],
        "xml": library.aside("items_2.csv", csv(ITEMS, [*GOOD_ITEMS, "7"]))[0],
    }
    partner = load_partner(library.house.engine.partners_folder / "havnsund.yaml", library.house.engine.flows)
    assert isinstance(partner, Partner)
    dropped = drop(library.house.engine, partner, "ils_import", "items_3.csv", iter([NEIGHBOUR]), who="lise")
    library.house.taken()
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # Great Expectations is loaded here already: a process of its own (test_pages.py) would take seconds
        patch.setattr(contracts, "_data_docs", lambda asked: data_docs(json.loads(asked)))
        for url in serving(Starlette(routes=[Mount("/bindery", library.board.app)])):
            yield Served(library, url, rows, dropped.sha256)


def at(
    chromium: Browser,
    served: Served,
    path: str,
    size: tuple[int, int] = WIDE,
    scheme: str = "light",
    who: str = "erik",
    *,
    sandbox: bool = True,
) -> tuple[Page, list[str]]:
    page, wrong = opened(chromium, size, scheme, sandbox=sandbox)
    page.context.set_extra_http_headers({"x-user": who})
    page.goto(served.url + path)
    return page, wrong


def revealed(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/quarantine/{served.rows['patron'].id}")
    page.get_by_label("Why do you need to see it?").fill("the library asked")
    page.get_by_role("button", name="Reveal").click()
    page.get_by_text("Shown as it is").wait_for()


def traced(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/trace")
    page.get_by_label("What to trace").fill("t1")
    page.get_by_role("button", name="Trace").click()
    page.get_by_role("heading", name="deliver").wait_for()


PAGES: dict[str, str | Callable[[Page, Served], None]] = {
    "list": "/quarantine?state=all",
    "none": "/quarantine?q=nowhere",
    "item": "/quarantine/{item}",
    "patron": "/quarantine/{patron}",
    "marc": "/quarantine/{marc}",
    "ragged": "/quarantine/{xml}",
    "revealed": revealed,
    "trace": "/trace",
    "traced": traced,
    "upload": "/upload",
    "watch": "/upload/havnsund/ils_import/{dropped}",
    "receipt": "/deliveries/{delivery}/receipt",
    "docs": "/deliveries/{delivery}/docs/ils_item",
}
"""Paths, and what is done where a path alone does not lead there."""


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide and light", "narrow and dark"])
def test_a_page_can_be_used_by_everybody(chromium: Browser, served: Served, name: str, size: tuple[int, int], scheme: str) -> None:
    page, wrong = at(chromium, served, "/upload", size, scheme, sandbox=name not in DOCUMENTS)
    there = PAGES[name]
    if isinstance(there, str):
        rows = {name: row.id for name, row in served.rows.items()}
        page.goto(served.url + there.format(delivery=served.rows["item"].delivery_id, dropped=served.dropped, **rows))
    else:
        there(page, served)
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / f"{name}_{size[0]}.png", full_page=True)
    looked_at(page, size)
    assert wrong == []
    if PICTURES is not None and name in KEPT and size == WIDE:
        page.screenshot(path=PICTURES / f"{KEPT[name]}.png", full_page=True)
    page.context.close()


def test_a_file_is_dropped_and_watched_until_it_is_through(chromium: Browser, served: Served) -> None:
    page, wrong = at(chromium, served, "/upload", who="lise")
    page.set_input_files("input[type=file]", files=[{"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": b"x"}])
    page.get_by_role("button", name="Drop it").click()
    page.get_by_text("no delivery with a name like holiday.jpg").wait_for()
    wrong.clear()  # the browser writes every answer that is a refusal on its console
    page.set_input_files("input[type=file]", files=[{"name": "items_9.csv", "mimeType": "text/csv", "buffer": GOOD}])
    page.get_by_role("button", name="Drop it").click()
    page.wait_for_url("**/upload/havnsund/ils_import/*")
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / "watch_1280.png", full_page=True)
    assert page.get_by_text("It lies in the inbox").is_visible()
    house = served.library.house
    [claimed] = house.claimed()
    house.run(claimed.id)
    page.get_by_text("It is through: 5 records.").wait_for(timeout=60_000)  # by itself: nobody loads the page again
    assert [fault["id"] for fault in Axe().run(page).response["violations"] if fault["impact"] in GRAVE] == []
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / "through_400.png", full_page=True)
    assert wrong == []
    page.context.close()


def test_a_record_is_mended_replayed_told_of_and_discarded_by_hand(chromium: Browser, served: Served) -> None:
    row, ledger = served.rows["item"], served.library.house.engine.ledger
    page, wrong = at(chromium, served, f"/quarantine/{row.id}")
    page.get_by_label("Your own words above it").fill("See the date.")
    page.get_by_role("button", name="Send the report").click()
    page.get_by_text("The partner has been told.").wait_for()
    page.get_by_role("button", name="Replay this record").click()
    page.get_by_text("A new delivery is on its way").wait_for()
    page.get_by_label("dateaccessioned").fill("2026-12-02")
    page.get_by_label("barcode").fill("3000000000009")
    page.get_by_role("button", name="Deliver the mended record").click()
    page.get_by_text("The mended record is on its way").wait_for()
    assert len(deliveries.find(ledger, origin=row.delivery_id)) == 2
    served.library.house.all_taken()
    page.reload()
    assert page.get_by_text("taken in since").first.is_visible()
    if LOOKED:
        page.screenshot(path=Path(LOOKED) / "mended_1280.png", full_page=True)
    page.get_by_role("link", name="The next one").click()
    page.get_by_role("textbox", name="Note").fill("a test item")
    page.get_by_role("button", name="Discard this record").click()
    page.get_by_text("The record is discarded.").wait_for()
    assert [one.state for one in quarantined.find(ledger, delivery_id=row.delivery_id)] == [Fate.REPLAYED, Fate.DISCARDED]
    assert wrong == []
    page.context.close()


def test_marc_is_mended_as_lines(chromium: Browser, served: Served) -> None:
    row = served.rows["marc"]
    page, wrong = at(chromium, served, f"/quarantine/{row.id}")
    text = page.get_by_label("The record", exact=True)
    written = text.input_value()
    assert written.startswith("LDR ")
    kept = [line for line in written.splitlines() if not line.startswith(("245", "650"))]
    text.fill("\n".join([*kept, "245 10 $a Rettet titel"]))
    page.get_by_role("button", name="Deliver the mended record").click()
    page.get_by_text("The mended record is on its way").wait_for()
    served.library.house.all_taken()
    assert "t2" in {one["control_number"] for one in served.library.house.rows("bibliographic", "control_number")}
    assert wrong == []
    page.context.close()
