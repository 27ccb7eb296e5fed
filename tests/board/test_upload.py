"""Uploads as staff do them: into their own inbox alone, whole or not at all, and watched until they have come through."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from connectors import flow_models
from connectors.ils import inbound as ils
from include.engine.delivery import State
from include.engine.ledger import audit, pauses
from plugins.board import csrf
from plugins.board.app import create
from tests.board.house import ENGINEER, SECRET, STRANGER, BoardHouse, users
from tests.conftest import sqlite_ledger
from tests.flows.conftest import yaml
from tests.flows.files import GOOD, NEIGHBOUR
from tests.house import House

STAFF = "lise"
TO = "/bindery/upload/havnsund/ils_import"


@pytest.fixture
def house(tmp_path: Path, migrated_file: Path) -> House:
    made = House.build(tmp_path, sqlite_ledger(tmp_path / "ledger.db", migrated_file), ils, flow_models(), "havnsund")
    made.write(yaml(partner=f"staff: [{STAFF}]", flow="    largest: 100 KB"))
    return made


@pytest.fixture
def board(house: House) -> BoardHouse:
    return BoardHouse(house.engine, create(lambda: house.engine, users, secret=SECRET))


def send(board: BoardHouse, name: str, content: object, who: str = STAFF, to: str = TO, **headers: str):
    sent = {"x-csrf-token": csrf.token(SECRET, who), "x-file-name": quote(name), "content-type": "application/octet-stream", **headers}
    return board.browser(who).post(to, content=content, headers=sent)


def said(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_a_library_drops_a_file_and_watches_it_go_through(house: House, board: BoardHouse) -> None:
    browser = board.browser(STAFF)
    assert "items_*" in browser.get("/bindery/upload").text
    answer = send(board, "items_1.csv", GOOD)
    assert answer.status_code == 201
    watched = answer.json()["to"]
    waiting = browser.get(watched).text
    assert 'data-refresh="3"' in waiting and "The next look at the inbox will find it" in said(waiting)
    [claimed] = house.claimed()
    assert claimed.id in browser.get(watched).text
    assert house.run(claimed.id).state == State.ACKNOWLEDGED
    through = browser.get(watched).text
    assert "data-refresh" not in through and "It is through: 5 records." in said(through)
    assert watched in browser.get("/bindery/upload").text
    [entry] = audit.find(house.engine.ledger, action="upload")
    assert entry.who == STAFF


def test_a_file_is_found_again_by_a_look_that_began_before_it_was_dropped(house: House, board: BoardHouse) -> None:
    before = send(board, "items_1.csv", GOOD).json()["to"]
    first = house.taken()
    answer = send(board, "items_1.csv", NEIGHBOUR)
    house.ahead = timedelta(seconds=-20)  # one of another inbox was slow to answer
    [claimed] = house.claimed()
    page = board.browser(STAFF).get(answer.json()["to"]).text
    assert claimed.id in page and first.id not in page
    assert first.id in board.browser(STAFF).get(before).text


def test_a_refusal_is_told_in_the_readers_words_and_leaves_nothing(house: House, board: BoardHouse) -> None:
    cases = [
        ("holiday.jpg", GOOD, 409, "aftalt"),
        ("items_1.csv", b"", 409, ""),
        ("items_1.csv", b"x" * 100_001, 413, ""),
        ("items_1.csv.part", GOOD, 409, ""),
    ]
    for name, content, status, words in cases:
        answer = send(board, name, content, **{"accept-language": "da"})
        assert (answer.status_code, words in answer.json()["words"]) == (status, True), name
        assert answer.json()["advice"]
    assert list(house.inbox.iterdir()) == []
    assert send(board, "", GOOD).status_code == 400


def test_a_body_without_a_length_is_stopped_where_it_grows_too_large(house: House, board: BoardHouse) -> None:
    def endless():
        for _ in range(1_000):
            yield b"x" * 1_000

    assert send(board, "items_1.csv", endless()).status_code == 413
    assert list(house.inbox.iterdir()) == []


def test_a_hostile_name_is_made_plain_and_shown_as_text(house: House, board: BoardHouse) -> None:
    answer = send(board, '../../items_<img src=x onerror="alert(1)">.csv', GOOD)
    assert answer.status_code == 201
    assert [file.name for file in house.inbox.iterdir()] == ["items__img src=x onerror=_alert(1)__.csv"]
    for path in (answer.json()["to"], "/bindery/upload"):
        page = board.browser(STAFF).get(path).text
        assert "<img" not in page and "items__img src=x" in page


def test_only_the_partners_own_staff_and_engineers_drop_files(house: House, board: BoardHouse) -> None:
    assert send(board, "items_1.csv", GOOD, STRANGER).status_code == 404
    assert "None of the partners" in said(board.browser(STRANGER).get("/bindery/upload").text)
    for to in ("/bindery/upload/havnsund/adhl_upload", "/bindery/upload/elsewhere/ils_import"):
        assert send(board, "items_1.csv", GOOD, to=to).status_code == 404
    for headers in ({"x-csrf-token": "x"}, {"x-csrf-token": csrf.token(SECRET, ENGINEER)}, {"sec-fetch-site": "cross-site"}):
        assert send(board, "items_1.csv", GOOD, **headers).status_code == 403
    assert not any(house.inbox.iterdir())
    assert send(board, "items_1.csv", GOOD, ENGINEER).status_code == 201


def test_of_many_partners_one_is_chosen_first(house: House, board: BoardHouse) -> None:
    for number in range(7):
        text = yaml(partner=f"staff: [{STAFF}]").replace("inbox/havnsund", f"inbox/other{number}")
        (house.engine.partners_folder / f"other{number}.yaml").write_text(text, encoding="utf-8")
    browser = board.browser(ENGINEER)
    many = browser.get("/bindery/upload").text
    assert '<form class="drop"' not in many and '"/bindery/upload?partner=other3"' in many
    one = browser.get("/bindery/upload?partner=other3").text
    assert one.count('<form class="drop"') == 1 and 'data-to="/bindery/upload/other3"' in one


def test_a_form_with_a_file_in_it_is_not_even_read(house: House, board: BoardHouse) -> None:
    answer = board.browser(STAFF).post(TO, data={csrf.FIELD: csrf.token(SECRET, STAFF)}, files={"file": ("items_1.csv", GOOD)})
    assert answer.status_code == 403


def test_what_was_never_dropped_cannot_be_watched(board: BoardHouse) -> None:
    assert board.browser().get(f"{TO}/{'0' * 64}").status_code == 404


def test_a_paused_flow_is_said(house: House, board: BoardHouse) -> None:
    pauses.pause(house.engine.ledger, "havnsund", "ils_import", "erik")
    watched = send(board, "items_1.csv", GOOD).json()["to"]
    assert "erik has paused this flow" in said(board.browser(STAFF).get(watched).text)


def test_a_file_that_was_refused_says_why(house: House, board: BoardHouse) -> None:
    watched = send(board, "items_1.csv", "æ".encode("utf-16")).json()["to"]
    house.taken()
    page = said(board.browser(STAFF).get(watched).text)
    assert "blocked" in page
