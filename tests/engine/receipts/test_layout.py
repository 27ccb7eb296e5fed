"""What a librarian reads: the same receipt in four languages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from include.engine.delivery import Counts, State
from include.engine.reasons import LANGUAGES, advice, words
from include.engine.receipts import layout
from include.engine.receipts.compose import Counted, Group, Line, Receipt
from include.engine.receipts.layout import as_json, as_text, needs_attention, say


def group(language: str, count: int = 14) -> Group:
    said = words("LOAN_IN_FUTURE", language, column="loaned_on", value="2062-11-02")
    lines = tuple(Line("", 1203 + n, 99, "LOAN_IN_FUTURE", "loaned_on", said) for n in range(min(count, 40)))
    return Group("LOAN_IN_FUTURE", "", advice("LOAN_IN_FUTURE", language), count, lines)


def receipt(language: str = "en", **more: object) -> Receipt:
    counts = Counts(in_=31402, published=31388, quarantined=14)
    at = datetime(2026, 11, 21, 6, 30, tzinfo=ZoneInfo("Europe/Copenhagen"))
    given = {
        "groups": (group(language),),
        "warnings": (),
        "filtered": (),
        "tables": {"loan": {"added": 31388, "changed": 0, "deleted": 0, "unchanged": 0}},
    }
    plain = {
        "reason": None,
        "why": "",
        "advice": "",
        "duplicate_of": "",
        "mode": "append",
        "state": State.ACKNOWLEDGED,
        "test": False,
        "counts": counts,
    }
    known = {"delivery": "x__loan__20261121T0530__3fa9c2d1", "partner": "x", "file": "loans_20261121.csv", "table": "loan", "received": at}
    return Receipt(**{**known, **plain, **given, "language": language, **more})  # type: ignore[arg-type]


def test_the_receipt_of_the_worked_example() -> None:
    assert as_text(receipt("en", groups=(group("en", 14),))).splitlines()[:7] == [
        "loans_20261121.csv   31,402 records: 31,388 accepted, 14 set aside",
        "",
        "Taken in, but for the records below. Mend them and deliver only those, or answer this mail; nothing else waits for you.",
        "  loans: 31,388 new, 0 changed, 0 deleted, 0 as before",
        "",
        f"  record 1,203     {'loaned_on is 2062-11-02: a loan cannot lie in the future':<82} LOAN_IN_FUTURE",
        f"  record 1,204     {'loaned_on is 2062-11-02: a loan cannot lie in the future':<82} LOAN_IN_FUTURE",
    ]


def test_who_delivers_whole_exports_is_not_told_to_deliver_a_few_records_alone() -> None:
    for language in LANGUAGES:
        told = as_text(receipt(language, mode="full"))
        assert say(language, "taken_in_part_full") in told
        assert say(language, "taken_in_part") not in told


@pytest.mark.parametrize(
    ("language", "first", "table"),
    [
        ("da", "31.402 poster: 31.388 modtaget, 14 lagt til side", "udlån: 31.388 nye"),
        ("sv", "31\u202f402 poster: 31\u202f388 mottagna, 14 lagda åt sidan", "lån: 31\u202f388 nya"),
        ("nl", "31.402 records: 31.388 overgenomen, 14 apart gelegd", "uitleningen: 31.388 nieuw"),
    ],
)
def test_numbers_tables_and_sentences_are_the_languages_own(language: str, first: str, table: str) -> None:
    text = as_text(receipt(language))
    assert first in text and table in text
    assert words("LOAN_IN_FUTURE", language, column="loaned_on", value="2062-11-02") in text
    assert "(Europe/Copenhagen)" in text and "2026-11-21 06:30" in text


def test_a_frequent_reason_shows_some_records_and_says_how_many_more() -> None:
    text = as_text(receipt("da", groups=(group("da", 1500),)))
    assert text.count("LOAN_IN_FUTURE") == 20
    assert "(og 1.480 til)" in text


def test_records_of_an_archive_stand_in_line() -> None:
    lines = tuple(Line(member, 7, 0, "ROW_RAGGED", None, "words") for member in ("a.csv", "a/much/longer/name.csv"))
    text = as_text(receipt("en", groups=(Group("ROW_RAGGED", "", "do", 2, lines),)))
    assert {line.index("ROW_RAGGED") for line in text.splitlines() if "ROW_RAGGED" in line}.__len__() == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", [State.BLOCKED, State.HELD, State.FAILED])
def test_what_was_not_taken_in_says_why_and_what_to_do(language: str, state: State) -> None:
    text = as_text(receipt(language, state=state, why="WHY", advice="DO", groups=(), tables={}))
    assert say(language, state) in text and "WHY" in text and "DO" in text
    assert needs_attention(receipt(language, state=state, groups=()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_test_and_duplicate_are_said_plainly(language: str) -> None:
    assert say(language, "test") in as_text(receipt(language, test=True))
    text = as_text(receipt(language, state=State.DUPLICATE, duplicate_of="first", groups=(), tables={}))
    assert say(language, "duplicate", origin="first") in text


def test_warnings_say_what_becomes_of_it_and_what_is_left_out_does_not() -> None:
    warned = Counted("UNKNOWN_ITEM", words("UNKNOWN_ITEM", "da"), advice("UNKNOWN_ITEM", "da"), 5700)
    left = Counted("ANONYMOUS_PATRON", words("ANONYMOUS_PATRON", "da"), advice("ANONYMOUS_PATRON", "da"), 3)
    text = as_text(receipt("da", groups=(), warnings=(warned,), filtered=(left,)))
    assert "     5.700  eksemplaret er ikke et, vi har fra jer endnu   UNKNOWN_ITEM" in text
    assert "rækken er modtaget og bliver gjort færdig, når den manglende post kommer" in " ".join(text.split())
    assert advice("ANONYMOUS_PATRON", "da") not in text
    assert "Modtaget." in text
    assert not needs_attention(receipt("da", groups=()))


def test_the_form_for_machines_has_the_same_figures_and_places() -> None:
    told = json.loads(as_json(receipt("sv")))
    assert (told["version"], told["language"], told["state"]) == (1, "sv", "acknowledged")
    assert told["counts"]["in"] == 31402
    assert told["groups"][0]["lines"][0]["record"] == 1203
    assert told["groups"][0]["lines"][0]["offset"] == 99


def test_every_phrase_is_there_in_every_language_with_the_same_values() -> None:
    phrases = yaml.safe_load(Path(layout.__file__).with_name("words.yaml").read_text(encoding="utf-8"))
    assert set(phrases) == set(LANGUAGES)
    for name, text in phrases["en"].items():
        for language in LANGUAGES:
            assert set(re.findall(r"{(\w+)}", phrases[language][name])) == set(re.findall(r"{(\w+)}", text)), (language, name)
    assert all(phrases[language].keys() == phrases["en"].keys() for language in LANGUAGES)


def test_no_line_is_much_wider_than_a_screen() -> None:
    long = replace(group("nl"), advice="heel lang advies " * 20)
    assert max(len(line) for line in as_text(receipt("nl", groups=(long,))).splitlines() if "advies" in line) <= 120
