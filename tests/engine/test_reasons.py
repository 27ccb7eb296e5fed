"""The table of reason codes: whatever is used is in it, in four languages, and nothing in it is unused."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from include.engine.reasons import LANGUAGES, Reason, advice, number, reason, table, words
from include.engine.reasons.translate import bare, translate

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("include", "connectors", "dags", "plugins", "data_contracts")
#: Where a literal is a reason code for sure.
USES = (
    r'\bcode\s*=\s*"([A-Z][A-Z_0-9]+)"',
    r'\breason\s*=\s*"([A-Z][A-Z_0-9]+)"',
    r'"reason": "([A-Z][A-Z_0-9]+)"',
    r"property: reason, value: ([A-Z][A-Z_0-9]+)",
    r'\bREASON = "([A-Z][A-Z_0-9]+)"',
    r'Unreadable\("([A-Z][A-Z_0-9]+)"',
    r'words\("([A-Z][A-Z_0-9]+)"',
    r'(?:repairs\.append\(|warnings\[)"([A-Z][A-Z_0-9]+)"',
)


def sources() -> str:
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix in {".py", ".yaml"})
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.parent.name != "reasons")


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_code_that_is_used_is_in_the_table_and_every_code_of_the_table_is_used() -> None:
    text = sources()
    used = {code for pattern in USES for code in re.findall(pattern, text)}
    assert len(used) > 100
    assert used - set(table()) == set()
    named = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", text))
    assert set(table()) - named == set()


@pytest.mark.parametrize("one", table().values(), ids=lambda one: one.code)
def test_a_reason_has_words_and_advice_in_four_languages_with_the_same_values(one: Reason) -> None:
    for said in (one.text, one.mend):
        assert set(said) == set(LANGUAGES)
        assert all(text.strip() for text in said.values())
        assert len(set(said.values())) >= 3, "a translation was forgotten"
    assert {frozenset(holes(text)) for text in one.text.values()} == {frozenset(holes(one.text["en"]))}
    assert holes(one.text["en"]) <= {"value", "column", "limit", "expected", "count"}
    assert not any(holes(text) for text in one.mend.values())
    assert one.kind in {"file", "record", "engine"}


@pytest.mark.parametrize("one", table().values(), ids=lambda one: one.code)
def test_a_sentence_is_translated_with_its_values_and_without_them_still_reads(one: Reason) -> None:
    values = {name: f"<{name}>" for name in holes(one.text["en"])}
    for language in LANGUAGES:
        assert translate(one.code, words(one.code, "en", **values), language) == words(one.code, language, **values)
        alone = bare(one.code, language)
        assert alone and not holes(alone)
        assert translate(one.code, "something else entirely", language) == alone


def test_what_is_said_behind_a_sentence_is_translated_too() -> None:
    said = words("LOAN_IN_FUTURE", "en", column="loaned_on", value="2062-11-02")
    assert translate("LOAN_IN_FUTURE", f"{said}; also DUE_BEFORE_LOAN", "da").endswith("ligge i fremtiden; også DUE_BEFORE_LOAN")
    unread = words("DATE_UNREADABLE", "en", column="loaned_on", value="x", expected="YYYY")
    assert translate("DATE_UNREADABLE", f"{unread} (also unreadable: due_on)", "nl").endswith("(ook onleesbaar: due_on)")


def test_a_value_may_hold_anything() -> None:
    value = "a: b ({x}); also\nmore"
    assert value in translate("UNKNOWN_KIND", words("UNKNOWN_KIND", "en", column="kind", value=value, expected="y"), "sv")


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert [number(1234567, language) for language in LANGUAGES] == ["1,234,567", "1.234.567", "1\u202f234\u202f567", "1.234.567"]
    assert "1.203 poster" in words("RECORDS_OUT_OF_RANGE", "da", count=1203, limit="1..2")


def test_a_language_that_is_not_in_the_table_reads_english() -> None:
    assert words("FILE_EMPTY", "fi") == words("FILE_EMPTY", "en")
    assert advice("FILE_EMPTY", "fi") == advice("FILE_EMPTY", "en")
    assert words("LOAN_IN_FUTURE", "en", column="loaned_on") == "loaned_on is ?: a loan cannot lie in the future"
    with pytest.raises(KeyError):
        reason("NO_SUCH_CODE")
