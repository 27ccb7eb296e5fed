"""Batches of even size."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.inbound import gather
from include.engine.inbound.gather import gathered


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 30))
def test_rows_keep_their_order_and_every_batch_but_the_last_is_full(sizes: list[int], size: int) -> None:
    numbers = iter(range(1000))
    batches = [pa.RecordBatch.from_pydict({"n": pa.array([next(numbers) for _ in range(rows)], pa.int64())}) for rows in sizes]
    found = list(gathered(batches, size))
    assert [value for batch in found for value in batch.column("n").to_pylist()] == list(range(sum(sizes)))
    assert all(batch.num_rows == size for batch in found[:-1])
    assert all(0 < batch.num_rows <= size for batch in found)


def test_rows_with_long_texts_do_not_wait_until_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "LARGEST", 100_000)
    batches = [pa.RecordBatch.from_pydict({"n": [number], "text": ["x" * 30_000]}) for number in range(10)]
    found = list(gathered(batches, 1_000))
    assert [value for batch in found for value in batch.column("n").to_pylist()] == list(range(10))
    assert [batch.num_rows for batch in found] == [4, 4, 2]
