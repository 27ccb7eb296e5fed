"""Freed memory goes back to the system where a process has become large."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from include.engine import memory

FREED = """
from include.engine import memory
memory.LARGE = int({large})
kept = []
for _ in range(3000):
    held = [bytes(60_000), bytes(2_000)]  # large ones that go, each before one that stays; none small enough for Python's own heap
    kept.append(held[1])
    kept.append(held)
del held
kept = [one for one in kept if isinstance(one, bytes)]
before = memory.resident()
memory.give_back()
print(before - memory.resident())
"""


def given_back(large: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FREED.format(large=large)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_MMAP_THRESHOLD_": "1000000"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(memory._trim() is None, reason="another C library than glibc")
def test_pages_that_hold_nothing_are_given_back_and_only_by_a_large_process() -> None:
    assert given_back(0) > 40_000_000
    assert given_back(10**12) < 10_000_000


def test_a_system_that_says_nothing_of_a_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_STATM", memory.Path("/nowhere/statm"))
    assert memory.resident() == 0
    memory.give_back()
