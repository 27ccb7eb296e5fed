"""Records are cut out again with exactly the bytes that they came with, in one pass."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.errors import Refused
from include.engine.storage.archive import Member
from include.engine.storage.cut import cut

DATA = {"a.csv": bytes(range(256)) * 20, "b.csv": os.urandom(3_000_000), "c.csv": b"x"}


def opened() -> Iterator[Member]:
    for name, data in DATA.items():
        yield Member(name, io.BytesIO(data))


span = st.sampled_from(sorted(DATA)).flatmap(
    lambda name: st.integers(0, len(DATA[name]) - 1).flatmap(
        lambda offset: st.tuples(st.just(name), st.just(offset), st.integers(0, min(5000, len(DATA[name]) - offset)))
    )
)


@given(spans=st.lists(span, max_size=8).map(sorted))
def test_any_sorted_spans_apart_repeated_or_overlapping_give_their_bytes(spans: list[tuple[str, int, int]]) -> None:
    assert list(cut(opened, spans)) == [DATA[name][offset : offset + length] for name, offset, length in spans]


@pytest.mark.parametrize("span", [("a.csv", 10, -1), ("a.csv", 5000, 500), ("b.csv", 9_000_000, 1), ("gone.csv", 0, 1)])
def test_bytes_that_cannot_be_found_are_refused(span: tuple[str, int, int]) -> None:
    with pytest.raises(Refused) as caught:
        list(cut(opened, [span]))
    assert caught.value.code == "RECORD_BYTES_UNKNOWN"


def test_spans_out_of_order_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="sorted"):
        list(cut(opened, [("a.csv", 10, 5), ("a.csv", 3, 5)]))
