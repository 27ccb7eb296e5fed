"""What took long to read is kept for a while, by what was asked of which ledger; what did not is read each time."""

from __future__ import annotations

from threading import Barrier, Event, Thread

import pytest

from include.engine.ledger import Ledger
from plugins.board.reads import costly


class Clock:
    """Stands in for `time`: it goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(costly, "time", made)
    monkeypatch.setattr(costly, "FACTOR", 10.0)
    monkeypatch.setattr(costly, "_known", {})
    return made


def _reader(clock: Clock, seconds: float):
    asked: list[tuple[object, ...]] = []

    @costly.costly
    def read(tx, *args: object, **kwargs: object) -> int:
        asked.append(args)
        clock.now += seconds
        return len(asked)

    return read, asked


def test_what_took_long_is_read_once(ledger: Ledger, clock: Clock) -> None:
    read, asked = _reader(clock, 1.0)
    with ledger.read() as tx:
        assert [read(tx, None), read(tx, None), read(tx, frozenset({"lindeby"})), read(tx, ["lindeby"])] == [1, 1, 2, 2]
    assert asked == [(None,), (frozenset({"lindeby"}),)]


def test_what_did_not_is_read_each_time(ledger: Ledger, clock: Clock) -> None:
    read, _ = _reader(clock, costly.LEAST)
    with ledger.read() as tx:
        assert [read(tx, None), read(tx, None)] == [1, 2]


@pytest.mark.parametrize(("took", "kept"), [(1.0, 10.0), (100.0, costly.LONGEST)])
def test_it_is_read_again_when_its_time_is_over(ledger: Ledger, clock: Clock, took: float, kept: float) -> None:
    read, _ = _reader(clock, took)
    with ledger.read() as tx:
        first = read(tx)
        clock.now += kept - 0.5
        again = read(tx)
        clock.now += 0.5
        assert (first, again, read(tx)) == (1, 1, 2)


def test_of_several_that_want_the_same_at_once_one_asks(ledger: Ledger, clock: Clock) -> None:
    every, asking, asked = Barrier(4), Event(), []

    @costly.costly
    def read(tx, what: str) -> int:
        asked.append(what)
        asking.wait(0.2)  # the others are on their way
        clock.now += 1.0
        return len(asked)

    def ask() -> None:
        with ledger.read() as tx:
            every.wait(60)
            read(tx, "x")

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["x"]
