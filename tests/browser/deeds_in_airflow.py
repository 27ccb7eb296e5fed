"""Every deed of the board's records by hand in a running Airflow, with its own scheduler: `make deeds`.

A file is dropped and watched through; of its records one is mended, one replayed, one discarded, the partner is told; and the file is traced.
A delivery that stopped is dismissed; patrons are revealed, and all of one reason replayed; a conflict of self-service is dealt with.
The suite does the same before the board alone (test_records.py); this takes minutes.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Frame, expect, sync_playwright

from include.engine import clock
from include.engine.ledger import Ledger, conflicts
from include.engine.ledger.conflicts import Conflict
from include.sandbox.airflow import running
from tests.board.library import BAD_ITEM, BAD_PATRON, GOOD_ITEMS, GOOD_PATRONS
from tests.demo.browsing import CHROMIUM
from tests.flows.conftest import yaml
from tests.flows.files import ITEMS, PATRONS, csv
from tests.house import MASTER

PATIENCE = 240_000
"""Milliseconds: dispatch looks every minute, and the machine may be busy."""


def main() -> int:
    """Status 0 when every deed was done and told."""
    if CHROMIUM is None:
        print("Debian's chromium is not installed: apt-get install chromium")
        return 1
    with tempfile.TemporaryDirectory(prefix="deeds") as folder:
        home = Path(folder)
        (home / "partners").mkdir()
        (home / "partners" / "havnsund.yaml").write_text(yaml())
        (home / "inbox" / "havnsund").mkdir(parents=True)
        with running(home, MASTER | {"BINDERY_PARTNERS": str(home / "partners"), "BINDERY_HOME": str(home)}) as airflow:
            _deeds(airflow.url, home)
    return 0


def _deeds(url: str, home: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en")
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto(f"{url}/plugin/bindery/bindery/upload")
        board = page.locator("iframe").element_handle().content_frame()
        assert board is not None
        _dropped(board)
        with board.expect_navigation():
            board.get_by_role("link", name="Look at them").click()
        with board.expect_navigation():
            board.get_by_role("link", name="not a date").first.click()
        mended = board.url
        _mended_and_told(board)
        with board.expect_navigation():
            board.get_by_role("link", name="The one before").click()
        board.get_by_role("textbox", name="Note").fill("a test item")
        board.get_by_role("button", name="Discard this record").click()
        expect(board.get_by_text("The record is discarded.")).to_be_visible()
        with board.expect_navigation():
            board.get_by_role("link", name="The one before").click()
        board.get_by_role("button", name="Replay this record").click()
        expect(board.get_by_text("A new delivery is on its way")).to_be_visible()
        print("discarded, and replayed")
        board.goto(mended)
        while not board.get_by_text("taken in since").count():
            time.sleep(3)
            board.goto(mended)
        print("the mended record is taken in")
        with board.expect_navigation():
            board.get_by_role("link", name="Trace", exact=True).click()
        board.get_by_label("What to trace").fill("items_1.csv")
        board.get_by_role("button", name="Trace").click()
        expect(board.get_by_role("heading", name=re.compile("3 deliveries"))).to_be_visible()
        print("traced")
        _dismissed(board)
        _revealed_and_replayed(board)
        _dealt_with(board, home, f"{url}/bindery/partners/havnsund")
        browser.close()


def _dropped(board: Frame) -> None:
    bad = [BAD_ITEM.replace("9,9", f"{number},{number}") for number in (7, 8, 9)]
    board.set_input_files(
        "input[type=file]", files=[{"name": "items_1.csv", "mimeType": "text/csv", "buffer": csv(ITEMS, [*GOOD_ITEMS, *bad])}]
    )
    board.get_by_role("button", name="Drop it").click()
    expect(board.get_by_text("It lies in the inbox")).to_be_visible()
    expect(board.get_by_text("It is through: 8 records.")).to_be_visible()
    print("dropped, and through")


def _mended_and_told(board: Frame) -> None:
    board.get_by_label("dateaccessioned").fill("2026-12-02")
    board.get_by_label("barcode").fill("3000000000009")
    board.get_by_role("button", name="Deliver the mended record").click()
    expect(board.get_by_text("The mended record is on its way")).to_be_visible()
    board.get_by_role("button", name="Send the report").click()
    expect(board.get_by_text("The partner has been told.")).to_be_visible()
    print("mended, and told")


def _dropped_as(board: Frame, name: str, content: bytes) -> None:
    with board.expect_navigation():
        board.get_by_role("link", name="Upload", exact=True).click()
    board.set_input_files("input[type=file]", files=[{"name": name, "mimeType": "text/csv", "buffer": content}])
    board.get_by_role("button", name="Drop it").click()


def _dismissed(board: Frame) -> None:
    _dropped_as(board, "items_2.csv", "æ".encode("utf-16"))
    expect(board.get_by_text("blocked", exact=True)).to_be_visible()
    with board.expect_navigation():
        board.get_by_role("link", name="The delivery in full").click()
    board.get_by_role("button", name="Dismiss: it is not coming").click()
    expect(board.locator(".state", has_text="dismissed").first).to_be_visible()
    print("dismissed")


def _revealed_and_replayed(board: Frame) -> None:
    _dropped_as(board, "patrons_1.csv", csv(PATRONS, [*GOOD_PATRONS, BAD_PATRON, BAD_PATRON.replace("9,2990099", "8,2990098")]))
    with board.expect_navigation():
        board.get_by_role("link", name="Look at them").click()
    with board.expect_navigation():
        board.locator("table.quarantine th a").first.click()
    board.get_by_label("Why do you need to see it?").fill("the library asked")
    board.get_by_role("button", name="Reveal").click()
    expect(board.get_by_text("Shown as it is")).to_be_visible()
    board.get_by_role("button", name="Replay all 2 with this reason").click()
    expect(board.get_by_text("A new delivery is on its way")).to_be_visible()
    print("revealed, and all of a reason replayed")


def _dealt_with(board: Frame, home: Path, page: str) -> None:
    one = Conflict("havnsund", "j1", 1203, "circulation_journal", clock.now(), "selfcheck1", "main", "checkout", "3000000000017",
                   "ok, due 2026-12-18", "no, CARD_EXPIRED", "CARD_EXPIRED", "Kortet er udløbet")  # fmt: skip
    conflicts.enter(Ledger(f"sqlite:///{home}/ledger.db"), "havnsund", "j1", [one])
    board.goto(page)
    board.get_by_role("checkbox", name="1203 Dealt with").check()
    board.get_by_role("button", name="Dealt with").click()
    expect(board.get_by_text("Dealt with in the last 90 days")).to_be_visible()
    expect(board.get_by_role("checkbox")).to_have_count(0)
    print("dealt with")


if __name__ == "__main__":
    sys.exit(main())
