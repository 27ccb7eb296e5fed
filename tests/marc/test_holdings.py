"""Holdings statements as ANSI/NISO Z39.71 writes them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.marc.holdings import TAGS, Fields, statement, statements
from tests.marc.bindings.reading import batch


def fields(*lines: str) -> Fields:
    """Lines such as `863  0 $8 1.1 $a 1`."""
    found: Fields = []
    for line in lines:
        parts = re.split(r"\s\$(\S) ", line[6:])[1:]
        found.append((line[:3], line[5], list(zip(parts[::2], parts[1::2], strict=True))))
    return found


CAPTIONS = "853 20 $8 1 $a v. $b no. $i (year) $j (month)"
PARTS = "853 20 $8 1 $a v."


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([CAPTIONS, "863 40 $8 1.1 $a 1-3 $b 1-12 $i 1990-1992 $j 01-12"], "v.1:no.1(1990:Jan.)-v.3:no.12(1992:Dec.)"),
        ([CAPTIONS, "863 41 $8 1.1 $a 6 $b 2 $i 1995 $j 02"], "v.6:no.2(1995:Feb.)"),
        ([CAPTIONS, "863 41 $8 1.1 $a 6 $b 2/3 $i 1995 $j 02/03"], "v.6:no.2/3(1995:Feb./Mar.)"),
        ([CAPTIONS, "863 40 $8 1.1 $a 1- $b 1- $i 1990- $j 01-"], "v.1:no.1(1990:Jan.)-"),
        ([PARTS, "863  0 $8 1.2 $a 5", "863  0 $8 1.1 $a 1-3 $w g"], "v.1-v.3,v.5"),
        ([PARTS, "863  0 $8 1.1 $a 1 $w n", "863  0 $8 1.2 $a 2"], "v.1;v.2"),
        ([PARTS, "863  0 $8 1.1 $a 1 $z lacks its cover"], "v.1<lacks its cover>"),
        (["853    $8 1 $a (year)", "863  0 $8 1.1 $a 1990-1995"], "1990-1995"),
        (["853    $8 1 $a (year) $b (season)", "863  1 $8 1.1 $a 1990 $b 21"], "1990:Spring"),
        (["853    $8 1 $a v. $g no.", "863  1 $8 1.1 $a 2 $g 15"], "v.2=no.15"),
        (["863  1 $8 1.1 $a 2 $b 3"], "2:3"),
        (["866  0 $8 0 $a 1998-2004; 2007-", PARTS, "863  0 $8 1.1 $a 1-3"], "1998-2004; 2007-"),
        (["866  0 $a all of it"], "all of it"),
        (["866  0 $8 1 $a in words", PARTS, "853    $8 2 $a Bd.", "863  0 $8 1.1 $a 1", "863  0 $8 2.1 $a 7"], "in words; Bd.7"),
        ([PARTS, "863 42 $8 1.1 $a 1", "863 44 $8 1.2 $a 2", "863 40 $8 1.3 $a 3"], "v.3"),
        (
            [PARTS, "863  0 $8 1.1 $a 1", "854    $8 1 $a suppl.", "864  0 $8 1.1 $a 2", "868  0 $a index 1-10"],
            "v.1 + suppl.2 + index 1-10",
        ),
        ([PARTS], ""),
    ],
)
def test_a_statement_is_written_as_the_standard_has_it(lines: list[str], expected: str) -> None:
    assert statement(fields(*lines)) == expected


def test_records_without_holdings_say_nothing() -> None:
    records, texts = statements(batch("marc21_holding_by_enumeration", "marc21_authority_of_a_place", "marc21_holding_in_words"))
    assert records.tolist() == [0, 2]
    assert texts.to_pylist() == [
        "v.1:no.1(1990:Jan.)-v.3:no.12(1992:Dec.),v.5:no.1(1994:Jan.),v.6:no.2(1995:Feb.)-v.6:no.4(1995:Apr.)<damaged> + pt.1",
        "1998-2004; 2007-",
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(TAGS),
            st.sampled_from("01234 "),
            st.lists(st.tuples(st.sampled_from("8abgijwz"), st.text("0123.-/(v)year ", max_size=6))),
        )
    )
)
def test_no_fields_make_it_fail(found: Fields) -> None:
    assert isinstance(statement(found), str)
