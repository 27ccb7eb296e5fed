"""Holds and fees as columns: what patrons wait for, and what they owe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from include.sandbox.world import people
from include.sandbox.world.chance import Index, below, choose, unit
from include.sandbox.world.ids import numbers
from include.sandbox.world.loans import E_LOAN, IN_LIBRARY, INTERLIBRARY, LONGEST, Loans, loans
from include.sandbox.world.world import World, day_number

HOLD_STATUS = ("waiting", "ready", "in_transit", "cancelled", "filled", "expired")
WAITING, READY, MOVING, CANCELLED, FILLED, EXPIRED = range(6)
FEE_KINDS = ("overdue", "lost", "reservation", "replacement_card", "other")


@dataclass(frozen=True)
class Holds:
    """Days count from 1970-01-01; -1 in `item` or `filled` means none."""

    index: Index
    patron: Index
    title: Index
    item: Index
    placed: Index
    pickup: Index
    status: Index
    expires: Index
    filled: Index

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Fees:
    """`ordinal` is the loan's; amounts are in hundredths of the library's currency; -1 in `settled` means not yet."""

    ordinal: Index
    patron: Index
    item: Index
    kind: Index
    amount: Index
    outstanding: Index
    incurred: Index
    settled: Index

    def __len__(self) -> int:
        return len(self.ordinal)


def holds(world: World) -> Holds:
    """The holds of the world's last sixty days."""
    index, seed, last = numbers(0, world.holds), world.seed, day_number(world.last)
    placed = last - below(60, seed, "hold placed", index)
    status = choose([50, 15, 4, 8, 18, 5], seed, "hold status", index)
    item = below(world.items, seed, "held item", index)
    title = world.item_title(item)
    patron = below(world.patrons, seed, "hold of", index)
    patron = np.where(people.merged(world, patron), people.merged_into(patron), patron)
    assigned = (status == READY) | (status == MOVING) | (status == FILLED)
    return Holds(
        index=index, patron=patron, title=title, item=np.where(assigned, item, -1), placed=placed,
        pickup=below(len(world.library.branches), seed, "pickup", index), status=status, expires=placed + 180,
        filled=np.where(status == FILLED, np.minimum(placed + 1 + below(20, seed, "filled", index), last), -1),
    )  # fmt: skip


def fees(world: World) -> Iterator[Fees]:
    """Fees for loans that were due in the last half year and came back late, or not within sixty days. The first chunk may be empty."""
    last = day_number(world.last)
    for number, chunk in enumerate(loans(world, first=last - 180 - LONGEST)):
        late = np.minimum(chunk.end, last) - chunk.due
        owing = (late > 0) & (chunk.due > last - 180) & ~np.isin(chunk.kind, (E_LOAN, IN_LIBRARY, INTERLIBRARY))
        if number == 0 or owing.any():
            yield _fees(world, chunk.where(owing), late[owing], last)


def _fees(world: World, chunk: Loans, late: Index, last: int) -> Fees:
    lost = (chunk.end > last) & (late > 60)
    amount = np.where(lost, 25_000, np.minimum(1_000 + late // 7 * 2_000, 12_000))
    if world.library.currency == "EUR":
        amount = amount // 10
    incurred = np.minimum(chunk.end, last)
    paid_on = incurred + below(40, world.seed, "fee paid", chunk.ordinal)
    settled = (unit(world.seed, "fee settled", chunk.ordinal) < 0.6) & (paid_on <= last) & ~lost
    part = (unit(world.seed, "part paid", chunk.ordinal) < 0.1) & ~settled
    outstanding = np.where(settled, 0, np.where(part, amount // 2, amount))
    return Fees(
        ordinal=chunk.ordinal, patron=chunk.patron, item=chunk.item, kind=np.where(lost, 1, 0), amount=amount, outstanding=outstanding,
        incurred=incurred, settled=np.where(settled, paid_on, -1),
    )  # fmt: skip
