"""Messages show what a value looks like, never whose it is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.privacy.mask import LONGEST, mask, masked, shape, shapes


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("010190-123x", "######-###x"),
        ("Åse Ærøskøbing", "Xxx Xxxxxxxxxx"),
        (17, "##"),
        (None, ""),
        ("y" * 60, "x" * (LONGEST - 1) + "…"),
        ("½", "#"),
    ],
)
def test_a_shape_shows_length_and_kind_of_each_character(value: object, shown: str) -> None:
    assert shape(value) == shown


@given(st.lists(st.one_of(st.none(), st.text(max_size=60)), max_size=20))
def test_no_letter_or_digit_of_a_value_is_in_its_shape(values: list[str | None]) -> None:
    for value, one, many in zip(values, map(shape, values), shapes(pa.array(values, pa.string())).to_pylist(), strict=True):
        assert (many is None) == (value is None)
        for shown in (one, many or ""):
            assert not {c for c in shown if c.isalnum()} - {"x", "X"}
            assert len(shown) <= LONGEST


def test_an_identity_number_inside_a_sentence_is_dotted_out() -> None:
    assert mask("Lånt af 010190–1234 og 85073003328, æ") == "Lånt af ••••••-•••• og •••••••••••, æ"
    assert mask("Krig og fred, 1869") == "Krig og fred, 1869"


def test_a_value_of_an_identity_column_is_shown_by_its_shape_and_any_other_as_it_is() -> None:
    assert masked("Holm", identity=True) == "Xxxx"
    assert masked("2062-11-02", identity=False) == "2062-11-02"
    assert masked("note 010190-1234", identity=False) == "note ••••••-••••"
