"""Work on two threads: order, errors and endings are those of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from include.engine.ahead import Behind, ahead


def test_items_come_in_their_order_from_a_thread_of_their_own() -> None:
    def items() -> Iterator[tuple[int, str]]:
        for number in range(100):
            yield number, threading.current_thread().name

    with ahead(items()) as found:
        assert list(found) == [(number, "ahead") for number in range(100)]


def test_no_more_than_one_item_is_made_beyond_the_one_in_use() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with ahead(items()) as found:
        for number in found:
            assert made[-1] <= number + 2
            if number == 20:
                break


def test_an_error_is_raised_where_the_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second is broken")

    with ahead(items()) as found:
        assert next(found) == 1
        with pytest.raises(ValueError, match="second"):
            next(found)


@pytest.mark.parametrize("read", [0, 1, 5])
def test_leaving_early_closes_the_generator_and_ends_the_thread(read: int) -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    before = threading.active_count()
    with pytest.raises(KeyError), ahead(items()) as found:
        for _ in range(read):
            next(found)
        raise KeyError
    assert closed.is_set()
    assert threading.active_count() == before


def test_tasks_are_done_in_their_order_and_waited_for() -> None:
    done: list[int] = []
    behind = Behind()
    for number in range(50):
        behind.do(done.append, number)
    behind.wait()
    assert done == list(range(50))
    behind.end()


def test_an_error_behind_is_raised_by_the_next_call_and_only_there() -> None:
    def fails() -> None:
        raise OSError("no space left")

    behind = Behind()
    behind.do(fails)
    with pytest.raises(OSError, match="no space"):
        behind.do(print)
    behind.do(fails)
    with pytest.raises(OSError, match="no space"):
        behind.wait()
    behind.wait()
    behind.do(fails)
    behind.end()
