"""Every deed of the board's records by hand in a running Airflow, with its own scheduler: `make deeds`.

A file is dropped and watched through; of its records one is mended, one replayed, one discarded, the partner is told; and the file is traced.
The suite does the same before the board alone (test_records.py); this takes minutes.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Frame, expect, sync_playwright

from include.sandbox.airflow import running
from tests.board.library import BAD_ITEM, GOOD_ITEMS
from tests.demo.browsing import CHROMIUM
from tests.flows.conftest import yaml
from tests.flows.files import ITEMS, csv
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
            _deeds(airflow.url)
    return 0


def _deeds(url: str) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
