"""What two releases give away: hypothesis plays the libraries, and an observer who has both releases and knows how they are made.

docs/decisions/adhl-relations-release.md states the three properties; each test here is one of them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.adhl.relations.count import Pairs
from connectors.adhl.relations.edges import Secret, least_of, levels
from connectors.adhl.relations.released import EMPTY, Released, release
from connectors.adhl.relations.settings import Settings
from include.engine.crypto.keys import MemoryKeyStore

SETTINGS = Settings()
K = SETTINGS.threshold
counts = st.integers(0, 60)
offsets = st.integers(0, SETTINGS.spread - 1)


def level(count: int, offset: int) -> int:
    return int(levels(np.array([count], np.int32), np.array([offset], np.int32), SETTINGS)[0])


LEVEL = [[level(count, offset) for count in range(140)] for offset in range(SETTINGS.spread)]


def seen(history: list[int], offset: int) -> list[int]:
    """What the observer sees of one pair, release after release."""
    found: list[int] = []
    for count in history:
        found.append(max(LEVEL[offset][count], found[-1] if found else 0))
    return found


def possible(first: int, second: int) -> list[tuple[int, int]]:
    """Every (count, count) that shows the observer these two levels, whatever the secret offset."""
    return [
        (one, two)
        for offset in range(SETTINGS.spread)
        for one in range(130)
        for two in range(130)
        if LEVEL[offset][one] == first and max(first, LEVEL[offset][two]) == second
    ]


@given(counts, counts, offsets)
@settings(max_examples=60, deadline=None)
def test_from_two_releases_no_count_and_no_small_contribution_can_be_told(one: int, two: int, offset: int) -> None:
    before, after = seen([one, two], offset)
    found = possible(before, after)
    assert (one, two) in found
    for told in zip(*found, strict=True):  # the counts of the first release, and those of the second
        assert len(set(told)) >= K, "a count is narrowed down to fewer than five values"
        assert max(told) >= K, "the observer knows a count below the threshold"
    changes = {later - earlier for earlier, later in found}
    assert not changes & set(range(-K + 1, K)) or len(changes) >= K, "a contribution of fewer than five patrons is told"
    assert before == after or max(changes) >= K, "a change is known to be of fewer than five patrons"
    assert before != after or 0 in changes, "where nothing changed, the observer knows that someone came or went"


@given(counts, st.integers(-K + 1, K - 1), offsets)
@settings(max_examples=200, deadline=None)
def test_even_who_knows_how_many_came_between_two_releases_cannot_tell_how_many_there_were(one: int, change: int, offset: int) -> None:
    two = max(0, one + change)
    before, after = seen([one, two], offset)
    told = {earlier for earlier, later in possible(before, after) if later - earlier == two - one}
    assert one in told
    assert len(told) >= K


@given(st.lists(st.integers(K, 60), min_size=2, max_size=6), offsets, offsets)
@settings(max_examples=200, deadline=None)
def test_any_number_of_releases_look_the_same_for_counts_that_differ_by_less_than_the_threshold(
    history: list[int], offset: int, other: int
) -> None:
    shifted = [count + other - offset for count in history]
    assert seen(history, offset) == seen(shifted, other)


def titles(number: int) -> pa.Table:
    return pa.table({name: pa.array([f"870970-basis:{place:03}" for place in range(number)]) for name in ("pid", "title", "creator")})


Bags = dict[int, frozenset[int]]


@st.composite
def bags(draw: st.DrawFn) -> Bags:
    """By patron, the titles they borrowed: many patrons with much in common, so that pairs reach the threshold."""
    shelves = [frozenset(draw(st.sets(st.integers(0, 6), min_size=2, max_size=5))) for _ in range(draw(st.integers(1, 4)))]
    return {patron: draw(st.sampled_from(shelves)) for patron in range(draw(st.integers(0, 40)))}


def next_release(found: Bags, before: Released, secret: Secret) -> Released:
    both = np.zeros((7, 7), np.int32)
    for shelf in found.values():
        for one in shelf:
            for two in shelf:
                both[one, two] += one < two
    first, second = np.nonzero(both >= K)
    return release(titles(7), Pairs(first.astype(np.int32), second.astype(np.int32), both[first, second]), before, secret, SETTINGS)


def content(released: Released) -> list[object]:
    return [
        released.titles.to_pylist(),
        *(list(map(int, part)) for part in (released.first, released.second, released.relation)),
    ]


@given(bags(), st.sets(st.integers(0, 39)))
@settings(max_examples=60, deadline=None)
def test_the_erasure_of_any_patrons_changes_nothing_in_the_next_release(found: Bags, erased: set[int]) -> None:
    secret = Secret(MemoryKeyStore(), SETTINGS)
    before = next_release(found, EMPTY, secret)
    after = next_release({patron: shelf for patron, shelf in found.items() if patron not in erased}, before, secret)
    assert content(after) == content(before)


@given(bags(), bags(), bags())
@settings(max_examples=40, deadline=None)
def test_nothing_under_the_threshold_is_ever_shown_and_nothing_shown_is_taken_back(one: Bags, two: Bags, three: Bags) -> None:
    secret, before, best = Secret(MemoryKeyStore(), SETTINGS), EMPTY, {}
    for found in (one, two, three):
        after = next_release(found, before, secret)
        for shelf in found.values():
            for pair in ((a, b) for a in shelf for b in shelf if a < b):
                best[pair] = max(best.get(pair, 0), sum(set(pair) <= other for other in found.values()))
        pid = after.titles["pid"].to_pylist()
        shown = {(pid[a], pid[b]): int(told) for a, b, told in zip(after.first, after.second, after.relation, strict=True)}
        for (a, b), told in shown.items():
            assert least_of(SETTINGS)[told - 1] <= best[int(a[-3:]), int(b[-3:])]
        was = before.titles["pid"].to_pylist()
        for a, b, told in zip(before.first, before.second, before.relation, strict=True):
            assert shown[was[a], was[b]] >= told
        before = after


def test_the_edges_are_a_quarter_apart_and_never_closer_than_the_threshold() -> None:
    least = least_of(SETTINGS)[:12].tolist()
    assert least == [5, 10, 15, 20, 25, 31, 38, 47, 58, 72, 90, 112]
    assert len(least_of(SETTINGS)) < 127  # what an index keeps of it


def test_offsets_are_spread_evenly_and_stay_the_same() -> None:
    keys = MemoryKeyStore()
    one, two = np.arange(50_000, dtype=np.uint64), np.arange(50_000, dtype=np.uint64)[::-1].copy()
    found = Secret(keys, SETTINGS).offsets(one, two)
    assert np.array_equal(found, Secret(keys, SETTINGS).offsets(one, two))
    assert np.bincount(found).min() > 9_500
    assert not np.array_equal(found, Secret(keys, Settings(edition="2")).offsets(one, two))
