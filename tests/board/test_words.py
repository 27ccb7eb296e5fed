"""The board's words: every one in four languages with the same placeholders, and every one that a template says is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from connectors import flow_models
from include.engine.reasons import LANGUAGES
from plugins.board import say as words
from plugins.board.render import _environment
from tests.board.house import BoardHouse

BOARD = Path(words.__file__).parent


def test_every_word_is_there_in_every_language_with_the_same_placeholders() -> None:
    for file in sorted((BOARD / "words").glob("*.yaml")):
        for key, entry in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            assert set(entry) == set(LANGUAGES), f"{file.name}: {key}"
            holes = {language: sorted(re.findall(r"{(\w+)}", str(text))) for language, text in entry.items()}
            assert len({str(one) for one in holes.values()}) == 1, f"{file.name}: {key}: {holes}"
            assert all(str(text).strip() for text in entry.values()), f"{file.name}: {key}"


def test_every_word_that_a_template_or_a_page_says_is_there() -> None:
    said = 0
    for file in sorted([*(BOARD / "templates").glob("*.html"), *BOARD.rglob("*.py")]):
        for key in re.findall(
            r"""(?:say\((?:language, )?|NAV = \("[^"]*", )["']([a-z_]+\.[a-z0-9_]+)["']\s*[,)]""", file.read_text(encoding="utf-8")
        ):
            assert key in words.table(), f"{file.name} says {key}"
            said += 1
    assert said > 20


def test_every_flow_of_a_connector_has_a_name() -> None:
    assert [flow for flow in flow_models() if f"flows.{flow}" not in words.table()] == []


def test_every_template_can_be_read() -> None:
    for file in sorted((BOARD / "templates").glob("*.html")):
        _environment().get_template(file.name)


@pytest.mark.parametrize(
    ("header", "language"),
    [("da-DK,da;q=0.9,en;q=0.8", "da"), ("fr;q=1, nl;q=0.5", "nl"), ("fr", "en"), ("", "en"), ("sv;q=nonsense", "sv")],
)
def test_a_page_speaks_the_browsers_language(house: BoardHouse, header: str, language: str) -> None:
    answer = house.browser(**{"accept-language": header}).get("/bindery/nothing/here")
    assert answer.status_code == 404
    assert f'<html lang="{language}">' in answer.text


def test_the_switch_is_remembered(house: BoardHouse) -> None:
    browser = house.browser(**{"accept-language": "da"})
    first = browser.get("/bindery/nothing?lang=sv")
    assert '<html lang="sv">' in first.text and "path=/bindery" in first.headers["set-cookie"].lower()
    assert '<html lang="sv">' in browser.get("/bindery/nothing").text
    assert '<html lang="da">' in house.browser(**{"accept-language": "da"}).get("/bindery/nothing?lang=xx").text
