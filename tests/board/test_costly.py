"""What took long to read is kept for a while, by what was asked of which ledger; what did not is read each time."""

from __future__ import annotations

import time
from threading import Thread

import pytest

from include.engine.ledger import Ledger
from plugins.board.reads import costly


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costly, "FACTOR", 1000.0)
    monkeypatch.setattr(costly, "LEAST", 0.05)
    monkeypatch.setattr(costly, "_known", {})


def _reader(seconds: float):
    asked: list[tuple[object, ...]] = []

    @costly.costly
    def read(tx, *args: object, **kwargs: object) -> int:
        asked.append(args)
        time.sleep(seconds)
        return len(asked)

    return read, asked


def test_what_took_long_is_read_once(ledger: Ledger) -> None:
    read, asked = _reader(0.1)
    with ledger.read() as tx:
        assert [read(tx, None), read(tx, None), read(tx, frozenset({"lindeby"})), read(tx, ["lindeby"])] == [1, 1, 2, 2]
    assert asked == [(None,), (frozenset({"lindeby"}),)]


def test_what_did_not_is_read_each_time(ledger: Ledger) -> None:
    read, _ = _reader(0)
    with ledger.read() as tx:
        assert [read(tx, None), read(tx, None)] == [1, 2]


def test_it_is_read_again_when_its_time_is_over(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costly, "LONGEST", 0.1)
    read, _ = _reader(0.06)
    with ledger.read() as tx:
        first = read(tx)
        time.sleep(0.15)
        assert (first, read(tx)) == (1, 2)


def test_of_several_that_want_the_same_at_once_one_asks(ledger: Ledger) -> None:
    read, asked = _reader(0.2)

    def ask() -> None:
        with ledger.read() as tx:
            read(tx, "x")

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
