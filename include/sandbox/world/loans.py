"""Two years of loans, in order of time, in chunks, never two of one item at once.

Every item has its own rhythm: slots of equal length, and in each slot at most one loan that starts in its first quarter and ends within it.
So the loans of any span of days follow from the items alone, and memory grows with the stock, not with the loans. Popular items have short
slots; weekdays, closed days and the season thin the starts; a last even thinning makes the number of loans exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from include.sandbox.world import people
from include.sandbox.world.chance import Index, below, bits, choose, unit
from include.sandbox.world.world import DAYS, World, day_number

Flags = npt.NDArray[np.bool_]

KINDS = ("home", "in_library", "interlibrary", "institution", "e_loan")
HOME, IN_LIBRARY, INTERLIBRARY, INSTITUTION, E_LOAN = range(5)
EVENTS = ("loan", "renewal", "return")
LONGEST = 120
"""Days: no loan lasts longer, so whoever looks back that far has seen every open one."""
_CHUNK = 40_000


@dataclass(frozen=True)
class Loans:
    """Loans as columns of equal length; days count from 1970-01-01, seconds from midnight on the library's own clock."""

    ordinal: Index
    item: Index
    title: Index
    patron: Index
    day: Index
    second: Index
    due: Index
    """after all renewals"""
    end: Index
    """the day it is brought back, also when that lies after the day it is looked at"""
    end_second: Index
    renewals: Index
    kind: Index
    lending: Index
    returning: Index

    def __len__(self) -> int:
        return len(self.ordinal)

    def where(self, rows: Flags | Index) -> Self:
        """Only these rows."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True)
class _Rhythm:
    offset: Index
    length: Index
    jitter: Index
    from_day: Index


def loans(world: World, first: int | None = None, last: int | None = None, chunk: int = _CHUNK) -> Iterator[Loans]:
    """Loans that start from day `first` to day `last` (days since 1970; by default all of the world's), in order of time.

    `ordinal` counts all loans from 0. A `last` after the world's own last day goes on in the same way: that is how a second day is made.
    """
    begin, end = day_number(world.first), day_number(world.last)
    first, last = begin if first is None else max(first, begin), end if last is None else last
    rhythm, kept, found = _rhythm(world), _kept_share(world), _starts_before(world, first)
    window = max(1, int(chunk / (world.loans / DAYS)))
    for day in range(first, last + 1, window):
        item, slot, start = _starts(world, rhythm, day, min(day + window, last + 1))
        number = found + np.arange(len(item), dtype=np.int64)
        found += len(item)
        ordinal = (number * kept[0]) // kept[1]
        keep = ((number + 1) * kept[0]) // kept[1] > ordinal
        yield _dress(world, rhythm, ordinal[keep], item[keep], slot[keep], start[keep])


@lru_cache(maxsize=4)
def _rhythm(world: World) -> _Rhythm:
    item = np.arange(world.items, dtype=np.int64)
    wanted = 0.6 * world.item_title(item) / world.titles + 0.4 * unit(world.seed, "item's charm", item)
    length = (22 + 500 * wanted**3).astype(np.int64)
    offset = below(length, world.seed, "offset", item)
    late = unit(world.seed, "acquired late", item) < 0.15
    from_day = day_number(world.first) + np.where(late, below(DAYS, world.seed, "acquired", item), 0)
    return _Rhythm(offset, length, np.maximum(length // 4, 1), from_day)


@lru_cache(maxsize=4)
def _day_weights(world: World) -> npt.NDArray[np.float64]:
    """How likely a slot's start is taken up, for each of the world's days and a year beyond."""
    day = day_number(world.first) + np.arange(DAYS + 366, dtype=np.int64)
    dates = day.astype("datetime64[D]")
    month = dates.astype("datetime64[M]").astype(np.int64) % 12
    date_in_month = (dates - dates.astype("datetime64[M]")).astype(np.int64)
    weekday = (day + 3) % 7
    week = np.array([1.0, 0.9, 0.9, 0.95, 0.9, 0.8, 0.25] if world.library.public else [1.0, 1.0, 1.0, 0.95, 0.7, 0.1, 0.0])
    public = [1.0, 0.95, 0.95, 0.9, 0.85, 0.85, 0.75, 0.9, 0.95, 1.0, 1.0, 0.8]
    year = np.array(public if world.library.public else [0.9, 1.0, 1.0, 0.95, 1.0, 0.6, 0.2, 0.6, 1.0, 1.0, 1.0, 0.6])
    closed = ((month == 11) & np.isin(date_in_month, (23, 24, 25, 30))) | ((month == 0) & (date_in_month == 0))
    return np.where(closed, 0.0, week[weekday] * year[month])


@lru_cache(maxsize=4)
def _starts_by_day(world: World) -> tuple[float, Index]:
    """(share of candidates to take so that a few per cent too many are found, candidates taken on each day)."""
    rhythm, weights, begin = _rhythm(world), _day_weights(world), day_number(world.first)
    slots = float(np.sum((DAYS - (rhythm.from_day - begin)) / rhythm.length))
    share, wanted = 0.0, 1.03 * world.loans + 4 * world.loans**0.5
    for step in 2.0 ** -np.arange(-3, 20):
        # The largest share that does not find more than is wanted: days with a full house take no more.
        if slots * np.minimum(1.0, (share + step) * weights[:DAYS]).mean() <= wanted:
            share += float(step)
    counts = np.zeros(DAYS, dtype=np.int64)
    window = max(1, int(_CHUNK / (world.loans / DAYS)))
    for day in range(begin, begin + DAYS, window):
        until = min(day + window, begin + DAYS)
        start = _taken(world, rhythm, day, until, share)[2]
        counts[day - begin : until - begin] = np.bincount(start - day, minlength=until - day)
    if counts.sum() < world.loans:
        raise ValueError(f"{world.library.id}: {counts.sum()} of {world.loans} loans found; the stock is too small")
    return share, counts


def _kept_share(world: World) -> tuple[int, int]:
    return world.loans, int(_starts_by_day(world)[1].sum())


def _starts_before(world: World, day: int) -> int:
    counts = _starts_by_day(world)[1]
    known = int(counts[: max(0, day - day_number(world.first))].sum())
    last = day_number(world.last)
    if day <= last + 1:
        return known
    return known + len(_starts(world, _rhythm(world), last + 1, day)[0])


def _starts(world: World, rhythm: _Rhythm, first: int, until: int) -> tuple[Index, Index, Index]:
    return _taken(world, rhythm, first, until, _starts_by_day(world)[0])


def _taken(world: World, rhythm: _Rhythm, first: int, until: int, share: float) -> tuple[Index, Index, Index]:
    """(item, slot, day) of the loans that start on days first <= day < until, by day and item."""
    begin = day_number(world.first)
    low = np.maximum(-((begin + rhythm.offset + rhythm.jitter - 1 - first) // rhythm.length), 0)
    high = (until - 1 - begin - rhythm.offset) // rhythm.length
    slots = np.maximum(high - low + 1, 0)
    item = np.repeat(np.arange(world.items, dtype=np.int64), slots)
    slot = np.arange(len(item), dtype=np.int64) - np.repeat(np.cumsum(slots) - slots, slots) + low[item]
    start = begin + rhythm.offset[item] + slot * rhythm.length[item] + below(rhythm.jitter[item], world.seed, "jitter", item, slot)
    inside = (start >= first) & (start < until) & (start >= rhythm.from_day[item])
    item, slot, start = item[inside], slot[inside], start[inside]
    taken = unit(world.seed, "taken", item, slot) < share * _day_weights(world)[np.minimum(start - begin, DAYS + 365)]
    item, slot, start = item[taken], slot[taken], start[taken]
    order = np.argsort(start, kind="stable")
    return item[order], slot[order], start[order]


def _dress(world: World, rhythm: _Rhythm, ordinal: Index, item: Index, slot: Index, start: Index) -> Loans:
    """Who, how long, where: everything about loans of whole days, in order of time."""
    seed, period = world.seed, world.library.loan_days
    branches = len(world.library.branches)
    home = world.item_branch(item)
    new = np.ones(len(item), dtype=np.bool_)
    new[1:] = (start[1:] != start[:-1]) | (home[1:] != home[:-1]) | (unit(seed, "next visitor", item, slot)[1:] < 0.4)
    visit = np.flatnonzero(new)[np.cumsum(new) - 1] if len(item) else np.zeros(0, dtype=np.int64)
    of_visit = (item[visit], slot[visit])
    elsewhere = unit(seed, "elsewhere", *of_visit) < 0.08
    lending = np.where(elsewhere, below(branches, seed, "where", *of_visit), home)
    low, high = world.patron_edges[lending], world.patron_edges[lending + 1]
    patron = low + np.minimum((unit(seed, "visitor", *of_visit) ** 2 * (high - low)).astype(np.int64), high - low - 1)
    hours = (unit(seed, "hour", *of_visit) + unit(seed, "hour too", *of_visit)) / 2
    second = (8 * 3600 + hours * 12 * 3600).astype(np.int64) + below(50, seed, "moment", item, slot)

    room = np.minimum(rhythm.length[item] - rhythm.jitter[item], LONGEST)
    usual = np.minimum(room - 1, period * 3)
    length = 1 + (unit(seed, "kept", item, slot) * usual).astype(np.int64)
    forgotten = unit(seed, "forgotten", item, slot) < 0.03
    length = np.where(forgotten, room, length)
    kind = _kinds(world, item, slot, patron)
    same_day = kind == IN_LIBRARY
    end = np.where(same_day, start, start + length)
    asked = choose([30.0, 15, 15, 40], seed, "renews", item, slot)
    renewals = np.where(same_day, 0, np.minimum((length - 1) // period, asked))
    end_second = np.where(
        same_day, second + 1800 + below(3600, seed, "read", item, slot), 9 * 3600 + below(39_600, seed, "back", item, slot)
    )
    returning = np.where(unit(seed, "back elsewhere", item, slot) < 0.12, below(branches, seed, "back where", item, slot), lending)
    due = start + period * (renewals + 1)
    order = np.lexsort((item, second, start))
    # The ordinals of a day stay the day's own: they are given anew in order of time.
    dressed = Loans(ordinal, item, world.item_title(item), patron, start, second, due, end, end_second, renewals, kind, lending, returning)
    shuffled = dressed.where(order)
    return Loans(ordinal, *(getattr(shuffled, field.name) for field in fields(Loans)[1:]))


def _kinds(world: World, item: Index, slot: Index, patron: Index) -> Index:
    share = unit(world.seed, "kind", item, slot)
    electronic = 0.03 if world.library.e_loans else 0.0
    kind = np.full(len(item), HOME, dtype=np.int64)
    kind[people.institution(world, patron)] = INSTITUTION
    kind[share < 0.02] = IN_LIBRARY
    kind[share < 0.006] = INTERLIBRARY
    kind[share > 1 - electronic] = E_LOAN
    return kind


def renewal_day(world: World, chunk: Loans, number: int) -> Index:
    """The day of every loan's renewal `number` (from 1), up to three days before that period ends."""
    early = (bits(world.seed, f"renewed {number}", chunk.ordinal) % np.uint64(4)).astype(np.int64)
    return chunk.day + world.library.loan_days * number - early


def anonymous(world: World, chunk: Loans, on: int) -> Flags:
    """Loans that have lost their patron by day `on`: brought back more than 30 days before, by someone who did not ask to keep the history."""
    return (chunk.end < on - 30) & ~people.keeps_history(world, chunk.patron)
