"""The board inside a running Airflow, by a real browser: in its navigation, as the tab of a run, with its buttons and its way to a task's log."""

from __future__ import annotations

import os
import re
import shutil

from playwright.sync_api import Frame, Page, expect, sync_playwright

CHROMIUM = os.environ.get("BINDERY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60_000
"""Milliseconds: the machine is busy with the demo."""


def browse(airflow: str, run: str) -> None:
    """`airflow` is the address, `run` the id of a delivery of ils_import that has ended. Nothing that the demo counts is changed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en")
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        _in_the_navigation(page, airflow)
        _paused_and_on_again(page, airflow)
        _as_the_tab_of_a_run(page, airflow, run)
        browser.close()


def _in_the_navigation(page: Page, airflow: str) -> None:
    page.goto(airflow)
    page.get_by_role("link", name="Bindery").click()
    board = _board(page)
    expect(board.locator("h1")).to_have_text("Overview")
    expect(board.locator(".troubles li", has_text="Tavsby Bibliotek")).to_contain_text("not here")
    board.get_by_role("link", name="Deliveries", exact=True).click()
    expect(board.locator("h1")).to_have_text("Deliveries")
    page.wait_for_url(
        re.compile("/plugin/bindery/bindery/deliveries")
    )  # Airflow's own address follows, so a page can be sent to a colleague


def _paused_and_on_again(page: Page, airflow: str) -> None:
    page.goto(f"{airflow}/plugin/bindery/bindery/partners/tavsby")
    board = _board(page)
    board.get_by_role("button", name="Pause every flow").click()
    expect(board.get_by_text("Paused by Anonymous").first).to_be_visible()
    board.get_by_role("button", name="Let every flow go on").click()
    expect(board.get_by_role("button", name="Pause every flow")).to_be_visible()


def _as_the_tab_of_a_run(page: Page, airflow: str, run: str) -> None:
    page.goto(f"{airflow}/dags/ils_import/runs/{run}")
    page.get_by_role("link", name="Delivery", exact=True).click()
    board = _board(page)
    expect(board.locator("body")).to_contain_text(run)
    expect(board.locator("svg.balance")).to_be_visible()
    board.locator("a[data-airflow]", has_text="Log").first.click()
    page.wait_for_url(re.compile(rf"/runs/{run}/tasks/receive"))  # the whole window, not the frame


def _board(page: Page) -> Frame:
    frame = page.locator("iframe").element_handle().content_frame()
    assert frame is not None
    return frame
