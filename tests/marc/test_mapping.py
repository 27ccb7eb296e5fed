"""A mapping reads like the cataloguer's own sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.engine.contract.loading import load as contract
from include.engine.errors import SettingsError
from include.marc.mapping import BINDINGS, clean_isbn, clean_issn, language, load, sentence, trim_punctuation, year
from include.marc.record import Field, Record

BOOK = Record(
    "00000nam a2200000 a 4500",
    [
        Field("001", data="123"),
        Field("008", data="260101s2026    dk      o     000 0 dan  "),
        Field("245", indicators="10", subfields=[("a", "Title :"), ("b", "rest /"), ("a", "again"), ("c", "N. N.")]),
        Field("264", indicators=" 0", subfields=[("b", "Maker")]),
        Field("264", indicators=" 1", subfields=[("b", "Publisher,")]),
        Field("650", indicators=" 7", subfields=[("a", "One")]),
        Field("651", indicators=" 7", subfields=[("a", "Two")]),
    ],
)


def values(text: str, maps: dict[str, dict[str, str]] | None = None) -> list[str]:
    return sentence(text, maps or {}).values(BOOK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("001", ["123"]),
        ("008/35-37", ["dan"]),
        ("leader/06", ["a"]),
        ("leader/06-07 + 008/23", ["amo"]),
        ("245$b | trim punctuation", ["rest"]),
        ("245$ab", ["Title : rest / again"]),
        ("264[*1]$b | trim punctuation", ["Publisher"]),
        ("264[ 0]$b", ["Maker"]),
        ("300$a, 651$a, 650$a", ["Two", "One"]),
        ("6XX$a", ["One", "Two"]),
        ("tag 65X", ["650", "651"]),
        ("245$a/0-2", ["Tit"]),
        ("999$a", []),
    ],
)
def test_a_sentence_finds_what_it_names(text: str, expected: list[str]) -> None:
    assert values(text) == expected


def test_a_map_looks_up_exactly_and_then_by_pattern() -> None:
    maps = {"m": {"ab": "exact", "a?": "pattern"}}
    assert values("leader/06-07 | map m", maps) == ["pattern"]
    assert values("001 | map m", maps) == []


@pytest.mark.parametrize("text", ["24", "245$", "245 a", "001 | shout", "001 | map none", "leader/", "245[1]$a"])
def test_a_sentence_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        sentence(text, {})


def test_steps_clean_what_cataloguers_write() -> None:
    assert [trim_punctuation(text) for text in ("Title /", "Title :", "Andersen, H. C.", "The end.", "[1999]", "c2004.")] == [
        "Title",
        "Title",
        "Andersen, H. C.",
        "The end",
        "1999",
        "c2004",
    ]
    assert [clean_isbn(text) for text in ("87-00-00000-x (ib.)", "9788700000002", "87", "ISBN")] == [
        "870000000X",
        "9788700000002",
        None,
        None,
    ]
    assert [clean_issn(text) for text in ("0001-253x", "0001253X", "no")] == ["0001-253X", "0001-253X", None]
    assert [year(text) for text in ("cop. 1999", "uuuu", "19991", "[2004?]")] == ["1999", None, None, "2004"]
    assert [language(text) for text in ("DAN", "|||", "   ", "engfre")] == ["dan", None, None, "eng"]


@pytest.mark.parametrize("file", sorted(BINDINGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_each_binding_gives_columns_of_its_contract(file: Path) -> None:
    table = file.stem.partition("_")[2]
    known = contract(f"ils_{table}")
    for column, (many, _) in load(file.stem).columns.items():
        assert many == str(known.column(column).type).startswith("list")
    row = load(file.stem).row(BOOK)
    assert row["control_number" if table != "holding" else "holding_id"] in ("123", None)


def test_a_binding_with_a_mistake_names_the_column(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("title: 245 a\n")
    with pytest.raises(SettingsError, match="title"):
        load("x", tmp_path)
    with pytest.raises(SettingsError, match="There are: x"):
        load("y", tmp_path)
