"""What is told of a CRM's message about a row: its words, and nothing that it quotes of the row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.crm.trouble import reason_of, told


def test_a_quoted_value_is_shown_by_its_shape_and_the_words_stay() -> None:
    said = told("Email: invalid email address: ana.holm@x1", ["ana.holm@x1", "Ana", None, True])
    assert said == "Email: invalid email address: xxx.xxxx@x#"


def test_a_value_that_the_crm_cut_short_is_hidden_as_far_as_it_goes() -> None:
    assert told("LastName: data value too large: Kanariefug... (max length=80)", ["Kanariefugl" * 9]) == (
        "LastName: data value too large: Xxxxxxxxxx... (max length=80)"
    )


def test_a_short_value_is_hidden_where_it_stands_as_a_word() -> None:
    assert told("bad value for restricted picklist field: Bo", ["Bo"]) == "bad value for restricted picklist field: Xx"
    assert told("both", ["Bo"]) == "both"


def test_an_identity_number_is_hidden_whether_it_is_of_the_row_or_not() -> None:
    assert "010190" not in told("duplicate of 010190-1234", [])


@given(st.text("abcdefghij0123456789@. ", min_size=6, max_size=40))
def test_no_long_value_is_ever_quoted(value: str) -> None:
    assert value not in told(f"a message: {value} (max length=3)", [value]) or not any(one.isalnum() for one in value)


def test_an_unknown_code_is_a_plain_refusal() -> None:
    assert reason_of("SOMETHING_NEW") == "CRM_ROW_REJECTED"


def test_letters_that_grow_when_they_are_lowered_hide_nothing() -> None:
    assert "stanbul" not in told("no such city: İstanbul", ["İstanbul"])
