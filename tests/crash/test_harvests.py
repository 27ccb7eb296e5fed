"""kill -9 in mid-harvest, on two seeds; `make crash-oai` does it on fifty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.harvests import seed
from tests.crash.processes import Zygote, zygote

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def warm() -> Iterator[Zygote]:
    with zygote() as started:
        yield started


@pytest.mark.parametrize("number", [1, 2])
def test_a_harvest_that_is_killed_again_and_again_misses_nothing_and_brings_nothing_twice(
    warm: Zygote, tmp_path: Path, number: int
) -> None:
    found = seed(warm, tmp_path, number)
    assert found.killed >= 2
    assert found.wrong == []
