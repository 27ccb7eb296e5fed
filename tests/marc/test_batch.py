"""A batch: what it is made of, and that no part of a record gets lost in it."""

from __future__ import annotations

import itertools
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.errors import Refused
from include.marc.batch import MOST_TAGS, Outcome, Tags
from include.marc.build import Aside, Found, Issue, build, one_by_one
from include.marc.long import from_long
from include.marc.record import Field, Record
from tests.marc.iso import everything, iso

LEADER = "00000nam a2200000 a 4500"
BOOK = Record(
    LEADER,
    [
        Field("001", data="123"),
        Field("245", indicators="10", subfields=[("a", "Title"), ("ø", "more"), ("a", "")]),
        Field("500", indicators="  "),
        Field("650", indicators=" 7", subfields=[("a", "One")]),
    ],
)
#: danMARC2: 001 has subfields.
DANISH = Record(LEADER, [Field("001", indicators="00", subfields=[("a", "5 000 001"), ("b", "870970")])])

characters = st.characters(exclude_categories=("Cs",), exclude_characters="\x1d\x1e\x1f")
texts = st.text(characters, max_size=8)
codes = st.characters(min_codepoint=33, max_codepoint=0xFFFF, exclude_categories=("Cs",))
indicators = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=2, max_size=2)
tags = st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=3, max_size=3)
control_fields = st.builds(lambda tag, data: Field(tag, data=data), tags, texts)
data_fields = st.builds(
    lambda tag, ind, subfields: Field(tag, indicators=ind, subfields=subfields),
    tags,
    indicators,
    st.lists(st.tuples(codes, texts), max_size=4),
)
records = st.builds(Record, st.just(LEADER), st.lists(control_fields | data_fields, max_size=6))


def batch(*given: Record):
    return build([Found(record, number) for number, record in enumerate(given, start=1)], Tags())


@given(st.lists(records, max_size=4))
def test_records_come_out_as_they_went_in(given: list[Record]) -> None:
    assert one_by_one(batch(*given)) == given


@given(st.lists(records, max_size=4))
def test_the_long_table_holds_all_of_a_record(given: list[Record]) -> None:
    assert one_by_one(from_long(batch(*given).long())) == given


def test_a_long_table_has_a_row_for_each_subfield_and_says_whose_it_is() -> None:
    table = batch(BOOK, DANISH).long()
    assert table.column("control_number").to_pylist() == ["123"] * 7 + ["5 000 001"] * 3
    assert table.column("tag").to_pylist() == ["LDR", "001", "245", "245", "245", "500", "650", "LDR", "001", "001"]
    assert table.column("seq").to_pylist() == [0, 1, 2, 2, 2, 3, 4, 0, 1, 1]
    assert table.column("code").to_pylist() == ["", "", "a", "ø", "a", "", "a", "", "a", "b"]
    assert table.column("ind1").to_pylist()[:6] == ["", "", "1", "1", "1", " "]
    assert sum(column.null_count for column in table.columns) == 0


def test_tags_are_found_by_name_and_by_pattern() -> None:
    found = batch(BOOK)
    assert [found.rows_of(tag).tolist() for tag in ("650", "XXX", "6XX", "LDR", "999")] == [
        [6],
        [1, 2, 3, 4, 5, 6],
        [6],
        [0],
        [],
    ]
    assert found.first_value("245", "a").to_pylist() == ["Title"]


def test_records_are_selected_with_their_rows() -> None:
    whole = batch(BOOK, DANISH, BOOK)
    part = whole.select(np.array([False, True, True]))
    assert one_by_one(part) == [DANISH, BOOK]
    assert part.number.tolist() == [2, 3]
    assert part.control_numbers.to_pylist() == ["5 000 001", "123"]


def test_what_was_wrong_and_what_was_set_aside_is_told() -> None:
    found = build(
        [Found(BOOK, 1, 0, 100), Found(BOOK, 3, 110, 100, issues=(Issue("MARC_SUBFIELD_EMPTY", seq=2),))],
        Tags(),
        [Aside(2, 100, b"0123456789", "MARC_NOT_A_RECORD")],
    )
    assert found.outcome.tolist() == [Outcome.CLEAN, Outcome.REPAIRED]
    assert found.issues.to_pylist() == [{"record": 3, "offset": 110, "seq": 2, "reason": "MARC_SUBFIELD_EMPTY", "detail": None}]
    assert found.aside.column("raw").to_pylist() == [b"0123456789"]
    assert found.aside.column("length").to_pylist() == [10]


def test_a_file_with_more_tags_than_there_are_numbers_is_refused() -> None:
    letters = string.digits + string.ascii_letters
    every = ["".join(tag) for tag in itertools.islice(itertools.product(letters[1:], letters, letters), MOST_TAGS)]
    content = b"".join(iso(f"n{at}", [(tag, b"  \x1fa") for tag in every[at : at + 500]]) for at in range(0, MOST_TAGS, 500))
    with pytest.raises(Refused, match="32,767 different tags"):
        everything(content)
