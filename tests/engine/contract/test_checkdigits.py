"""ISBN and ISSN check digits."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from stdnum import isbn, issn

from include.engine.contract.checkdigits import each_of_list, isbns, issns


def test_isbns_of_both_lengths_are_right_with_and_without_hyphens() -> None:
    values = pa.array(
        ["9780306406157", "978-0-306-40615-7", "0-306-40615-2", "080442957x", "9780306406158", "123", None, "", "97803064061570"]
    )
    assert isbns(values).tolist() == [True, True, True, True, False, False, False, False, False]


def test_issns_are_right_with_and_without_the_hyphen() -> None:
    assert issns(pa.array(["0378-5955", "03785955", "2434-561X", "03785954", None])).tolist() == [True, True, True, False, False]


def test_a_list_passes_when_each_of_its_numbers_does() -> None:
    lists = pa.array([["9780306406157"], [], None, ["9780306406157", "1"], ["1"]], pa.list_(pa.string()))
    assert each_of_list(lists, isbns).tolist() == [True, True, True, False, False]
    assert each_of_list(lists.slice(2), isbns).tolist() == [True, False, False]


@given(st.lists(st.text("0123456789X", min_size=10, max_size=10) | st.from_regex("97[89][0-9]{10}", fullmatch=True)))
def test_isbns_agree_with_python_stdnum(values: list[str]) -> None:
    assert isbns(pa.array(values, pa.string())).tolist() == [isbn.is_valid(value) for value in values]


@given(st.lists(st.text("0123456789X", min_size=8, max_size=8)))
def test_issns_agree_with_python_stdnum(values: list[str]) -> None:
    assert issns(pa.array(values, pa.string())).tolist() == [issn.is_valid(value) for value in values]
