"""Items as columns: the stock, and what the loans made of it by the day it is delivered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from include.sandbox.world import ids, titles
from include.sandbox.world.chance import Index, below, unit
from include.sandbox.world.loans import E_LOAN, INTERLIBRARY, LONGEST, Flags, loans
from include.sandbox.world.text import Strings
from include.sandbox.world.world import DAYS, World, day_number

STATUS = ("available", "on_loan", "lost", "withdrawn", "in_transit")
AVAILABLE, ON_LOAN, LOST, WITHDRAWN, IN_TRANSIT = range(5)


@dataclass(frozen=True)
class Items:
    """Columns of equal length; `price` is in hundredths of the library's currency, days count from 1970-01-01."""

    index: Index
    item_id: Strings
    barcode: Strings
    title: Index
    branch: Index
    department: Index
    sublocation: Index
    material: Index
    status: Index
    acquired: Index
    price: Index
    loan_count: Index

    def __len__(self) -> int:
        return len(self.index)


def items(world: World, index: Index, day: int | None = None, moved: Flags | None = None) -> Items:
    """The items with these numbers as they stand at the end of `day` (by default the world's last); `moved` ones went to another department."""
    seed, last = world.seed, day_number(world.last)
    count, on_loan = stock_use(world, last if day is None else day)
    fate = unit(seed, "fate", index)
    status = np.where(fate < 0.01, LOST, np.where(fate < 0.02, WITHDRAWN, np.where(fate < 0.03, IN_TRANSIT, AVAILABLE)))
    known = index < world.items
    place = np.minimum(index, world.items - 1)
    status = np.where(known & on_loan[place], ON_LOAN, status)
    department = below(len(world.library.departments), seed, "department", index)
    if moved is not None:
        department = np.where(moved, (department + 1) % len(world.library.departments), department)
    title = world.item_title(index)
    late = unit(seed, "acquired late", index) < 0.15
    acquired = np.where(
        late, day_number(world.first) + below(DAYS, seed, "acquired", index), day_number(world.first) - below(4000, seed, "of old", index)
    )
    return Items(
        index=index,
        item_id=ids.item_id(world, index),
        barcode=ids.barcode(world, index),
        title=title,
        branch=world.item_branch(index),
        department=department,
        sublocation=below(6, seed, "sublocation", index),
        material=titles.material(world, title),
        status=status,
        acquired=np.where(known, acquired, last),
        price=5_000 + below(45_000, seed, "price", index) // 25 * 25,
        loan_count=np.where(known, count[place], 0),
    )


@lru_cache(maxsize=4)
def stock_use(world: World, day: int) -> tuple[Index, Flags]:
    """(loans so far, out on loan) of every item at the end of `day`."""
    count = np.zeros(world.items, dtype=np.int64)
    out = np.zeros(world.items, dtype=np.bool_)
    for chunk in loans(world, last=day):
        own = (chunk.kind != E_LOAN) & (chunk.kind != INTERLIBRARY)
        count += np.bincount(chunk.item[own], minlength=world.items)
        out[chunk.item[own & (chunk.end > day) & (chunk.day > day - LONGEST - 1)]] = True
    return count, out
