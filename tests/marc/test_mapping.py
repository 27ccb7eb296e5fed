"""A mapping reads like the cataloguer's own sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.contract.loading import load as contract
from include.engine.errors import SettingsError
from include.marc.batch import Tags
from include.marc.build import Found, build
from include.marc.mapping import BINDINGS, load, parse, sentence
from include.marc.record import Field, Record
from include.marc.steps import BLANKS, PUNCTUATION, clean_isbn, clean_issn, language, trim_punctuation, year
from tests.marc.test_batch import records

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


BATCH = build([Found(BOOK, 1)], Tags())


def values(text: str, maps: dict[str, dict[str, str]] | None = None) -> list[str]:
    found = BATCH.wide(parse("test", {"x[]": text}, maps)).column("x").to_pylist()[0]
    one = BATCH.wide(parse("test", {"x": text}, maps)).column("x").to_pylist()[0]
    assert one == (found[0] if found else None)
    return found or []


def test_marks_of_what_is_not_sorted_are_no_part_of_a_title() -> None:
    field = Field("245", indicators="10", subfields=[("a", "\u0098Den \u009clange vej")])
    assert build([Found(Record(BOOK.leader, [field]), 1)], Tags()).wide({"title": "245$a"}).to_pylist() == [{"title": "Den lange vej"}]


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
    texts = ["Title /", "Title :", "Andersen, H. C.", "The end.", "[1999]", "c2004.", None]
    trimmed = ["Title", "Title", "Andersen, H. C.", "The end", "1999", "c2004", None]
    assert trim_punctuation(pa.array(texts)).to_pylist() == trimmed
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
    row = BATCH.wide(load(file.stem)).to_pylist()[0]
    assert row["control_number" if table != "holding" else "holding_id"] in ("123", None)


def test_a_binding_with_a_mistake_names_the_column(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("title: 245 a\n")
    with pytest.raises(SettingsError, match="title"):
        load("x", tmp_path)
    with pytest.raises(SettingsError, match="There are: x"):
        load("y", tmp_path)


def trimmed_one(text: str) -> str:
    """The rule for one text, as a pair of regular expressions."""
    text = re.sub(r"[\s/:;,=]+$", "", text.strip())
    text = re.sub(r"^\[(.*)\]$", r"\1", text)
    return re.sub(r"(?<=\w{3}|..[)\]])\.$", "", text)


@given(st.lists(st.text(st.sampled_from([*"ab1.[]()é\næ ", *BLANKS, *PUNCTUATION]), max_size=8)))
def test_punctuation_is_trimmed_from_many_texts_as_from_one(texts: list[str]) -> None:
    assert trim_punctuation(pa.array(texts, pa.string())).to_pylist() == [trimmed_one(text) for text in texts]


@given(st.lists(records, max_size=5))
def test_each_record_of_a_batch_is_mapped_as_if_it_were_alone(given: list[Record]) -> None:
    mapping = load("marc21_bibliographic")
    together = build([Found(record, number) for number, record in enumerate(given)], Tags()).wide(mapping).to_pylist()
    assert together == [build([Found(record, 1)], Tags()).wide(mapping).to_pylist()[0] for record in given]


def test_values_of_several_fields_are_kept_apart_and_distinct() -> None:
    again = Record(BOOK.leader, [*BOOK.fields, Field("650", indicators=" 7", subfields=[("a", "One"), ("a", "Three")])])
    both = build([Found(again, 1), Found(Record(BOOK.leader, []), 2), Found(BOOK, 3)], Tags())
    spec = {"subjects[]": "650$a", "title": ["999$a", "245$ac"], "number": "001"}
    assert both.wide(spec).to_pylist() == [
        {"subjects": ["One", "One Three"], "title": "Title : again N. N.", "number": "123"},
        {"subjects": None, "title": None, "number": None},
        {"subjects": ["One"], "title": "Title : again N. N.", "number": "123"},
    ]


def test_a_mapping_knows_which_fields_it_needs() -> None:
    assert parse("test", {"a": "leader/06 + 008/23", "b": ["245$a, 6XX$a", "tag 1XX"]}).tags == {"008", "245", "6XX", "1XX"}
