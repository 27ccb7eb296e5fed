"""Loans as events in order of time: loan, renewal, return."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from include.sandbox.world.chance import Index, below
from include.sandbox.world.loans import LONGEST, Flags, Loans, loans, renewal_day
from include.sandbox.world.world import World, day_number

LOAN, RENEWAL, RETURN = range(3)


@dataclass(frozen=True)
class Events:
    """One event a row: `loan` holds the loan of every row, `step` its renewals so far, `due` the day it is then due."""

    loan: Loans
    event: Index
    day: Index
    second: Index
    step: Index

    def __len__(self) -> int:
        return len(self.event)

    def where(self, rows: Flags | Index) -> Events:
        return Events(self.loan.where(rows), self.event[rows], self.day[rows], self.second[rows], self.step[rows])


def events(world: World, first: int | None = None, last: int | None = None) -> Iterator[Events]:
    """The events of the days `first` to `last` (by default all of the world's), in order of time; memory holds the loans that are still out.

    Days without an event give one empty chunk: their file has a header all the same.
    """
    first = day_number(world.first) if first is None else first
    last = day_number(world.last) if last is None else last
    waiting: Events | None = None
    given = False
    for chunk in loans(world, first=first - LONGEST - 1, last=last):
        found = _of(world, chunk)
        pool = found if waiting is None else _together(waiting, found)
        # Whatever happens before the newest loan of this chunk is complete: later chunks begin on a later day.
        done = pool.day <= (chunk.day[-1] if len(chunk) else first - 1)
        ready = pool.where(done & (pool.day >= first))
        waiting = pool.where(~done)
        if len(ready):
            yield _in_order(ready)
            given = True
    if waiting is not None:
        rest = waiting.where((waiting.day <= last) & (waiting.day >= first))
        if len(rest) or not given:
            yield _in_order(rest)


def _of(world: World, chunk: Loans) -> Events:
    everything = np.arange(len(chunk), dtype=np.int64)
    rows, kinds, days, seconds, steps = (
        [everything],
        [np.full(len(chunk), LOAN)],
        [chunk.day],
        [chunk.second],
        [np.zeros(len(chunk), dtype=np.int64)],
    )
    for number in (1, 2, 3):
        renewed = np.flatnonzero(chunk.renewals >= number)
        rows.append(renewed)
        kinds.append(np.full(len(renewed), RENEWAL))
        days.append(renewal_day(world, chunk, number)[renewed])
        seconds.append(7 * 3600 + below(50_000, world.seed, f"renewed at {number}", chunk.ordinal[renewed]))
        steps.append(np.full(len(renewed), number))
    rows.append(everything)
    kinds.append(np.full(len(chunk), RETURN))
    days.append(chunk.end)
    seconds.append(chunk.end_second)
    steps.append(chunk.renewals)
    row = np.concatenate(rows)
    return Events(chunk.where(row), np.concatenate(kinds), np.concatenate(days), np.concatenate(seconds), np.concatenate(steps))


def _together(one: Events, other: Events) -> Events:
    loan = Loans(**{name: np.concatenate([getattr(one.loan, name), getattr(other.loan, name)]) for name in Loans.__dataclass_fields__})
    rest = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("event", "day", "second", "step")}
    return Events(loan, **rest)


def _in_order(found: Events) -> Events:
    return found.where(np.lexsort((found.event, found.loan.ordinal, found.second, found.day)))
