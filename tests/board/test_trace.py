"""The trace's page: nothing of the question in an address, and a card's number nowhere at all."""

from __future__ import annotations

import pytest

from tests.board.house import ENGINEER, STAFF, BoardHouse
from tests.engine.lived_in import TRACES


def test_a_file_is_followed_to_its_delivery(house: BoardHouse) -> None:
    one = house.delivery("lindeby", table="patron")
    page = house.post("/trace", q=one.path)
    assert page.status_code == 200 and one.id in page.text
    assert one.id in house.post("/trace", q=one.content_hash, kind="hash").text
    assert one.id in house.post("/trace", STAFF, q=one.path, kind="file").text


def test_staff_find_nothing_of_others(house: BoardHouse) -> None:
    theirs = house.delivery("havnsund", table="patron")
    for kind in ("anything", "file"):
        assert theirs.id not in house.post("/trace", STAFF, q=theirs.path, kind=kind).text.replace(f'value="{theirs.path}"', "")
    assert house.post("/trace", STAFF, q="x", partner="havnsund").status_code == 400


def test_a_cards_number_is_neither_shown_again_nor_logged(house: BoardHouse, caplog: pytest.LogCaptureFixture) -> None:
    card = next(one for one in TRACES if one.startswith("29"))
    asked = house.post("/trace", q=card, kind="card")
    assert "Choose the partner" in asked.text and card not in asked.text
    page = house.post("/trace", q=card, kind="card", partner="lindeby")
    assert page.status_code == 200 and "/bindery/deliveries/lindeby__patron" in page.text
    assert card not in page.text
    assert card not in caplog.text


def test_a_question_that_is_none_is_refused_and_an_answer_is_never_at_an_address(house: BoardHouse) -> None:
    assert house.post("/trace", q=" ").status_code == 400
    assert house.post("/trace", q="x", kind="shoe size").status_code == 400
    browser = house.browser(ENGINEER)
    assert "found" not in browser.get("/bindery/trace?q=patrons_1.csv").text


def test_markup_in_a_question_is_text(house: BoardHouse) -> None:
    assert "<script>alert" not in house.post("/trace", q="<script>alert(1)</script>").text
