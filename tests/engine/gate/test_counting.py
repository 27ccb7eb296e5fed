"""Those who count in one DuckDB do not see each other's rows, and a fork counts in one of its own."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from include.engine.gate import counting
from include.engine.gate.narrow import Narrow
from include.engine.gate.whole import Whole
from tests.engine.gate.loans import ILS_LOAN, batch, loan


def _rows(connection: Any) -> list[int]:
    return [number for (number,) in connection.sql("SELECT n FROM seen ORDER BY n").fetchall()]


def test_two_have_rows_of_their_own_under_one_name() -> None:
    one, other, third = counting.connection(), counting.connection(), counting.connection()
    one.register("seen", pa.table({"n": [1]}))
    other.register("seen", pa.table({"n": [2, 3]}))
    assert (_rows(one), _rows(other)) == ([1], [2, 3])
    one.unregister("seen")
    assert _rows(other) == [2, 3]
    with pytest.raises(duckdb.CatalogException):
        _rows(third)


def test_what_one_has_closed_the_others_go_on_with() -> None:
    one, other = counting.connection(), counting.connection()
    other.register("seen", pa.table({"n": [2]}))
    one.close()
    assert _rows(other) == [2]


def _late(numbers: range) -> list[int]:
    """The places of rows whose key came before, of two rows a number."""
    whole = Whole(ILS_LOAN, {})
    for number in numbers:
        whole.add(Narrow(ILS_LOAN).of(batch(loan(number), loan(number))))
    return whole.late().positions.tolist()


def test_deliveries_that_are_counted_at_once_are_counted_as_if_each_were_alone() -> None:
    ranges = [range(20), range(5, 45), range(100, 110)]
    with ThreadPoolExecutor(len(ranges)) as threads:
        together = list(threads.map(_late, ranges))
    assert together == [_late(numbers) for numbers in ranges] == [[*range(1, 2 * len(numbers), 2)] for numbers in ranges]


def test_a_fork_opens_one_of_its_own() -> None:
    counting.connection()
    ours = counting._database(os.getpid())
    if not (child := os.fork()):
        code = 1
        try:
            connection = counting.connection()
            connection.register("seen", pa.table({"n": [7]}))
            code = 0 if counting._database(os.getpid()) is not ours and _rows(connection) == [7] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
