"""Words for how much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.partner.size import parse_size, spell_size


@pytest.mark.parametrize(("words", "size"), [("500 MB", 500_000_000), ("20gb", 20 * 10**9), (" 1 KB", 1000), (17, 17)])
def test_words_become_bytes(words: str | int, size: int) -> None:
    assert parse_size(words) == size


@pytest.mark.parametrize("words", ["", "much", "0 GB", "1.5 GB", "-1 MB", 0, True])
def test_other_words_are_refused_with_what_is_allowed(words: object) -> None:
    with pytest.raises(ValueError, match="500 MB"):
        parse_size(words)


@given(st.integers(1, 10**14))
def test_a_size_reads_back_as_it_was_spelled(size: int) -> None:
    assert parse_size(spell_size(size)) == size
