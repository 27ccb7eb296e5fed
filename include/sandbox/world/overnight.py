"""The second day: what changed overnight, what comes again, and what comes broken off; with the changes that each file must make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from include.sandbox.world import ids
from include.sandbox.world.answers import Answer, Changes
from include.sandbox.world.chance import Index
from include.sandbox.world.delivery import Clerk, chosen
from include.sandbox.world.loans import LONGEST, Flags, Loans, loans
from include.sandbox.world.people import protected
from include.sandbox.world.stock import Stock
from include.sandbox.world.world import World


def second_day(world: World, out: Path, first: list[Answer], source: Path, bad: float = 0.0) -> list[Answer]:
    """What comes the day after: changes, deletions, a corrected file under its old name, old bytes under a new name. `first` lies in `source`."""
    clerk = Clerk(Stock(world, 2), out, bad)
    return {"lindeby": _lindeby, "havnsund": _havnsund, "almvik": _almvik, "molendal": _molendal}[world.library.id](clerk, first, source)


def _lindeby(clerk: Clerk, first: list[Answer], source: Path) -> list[Answer]:
    """Events of the day, whole item and title files, the patrons of the day before without their mistakes, and yesterday's items once more."""
    before = replace(clerk, stock=Stock(clerk.world, 1))
    corrected = before.patrons(mended=True, note="the file of the day before, mended, under its old name")
    mended = corrected.good - len(before.stock.patrons)
    corrected = replace(corrected, day=2, changes={"patron": Changes(added=mended, unchanged=len(before.stock.patrons))})
    loans_, items_, bib = clerk.loan_events(), clerk.items(), clerk.bibliographic()
    old = next(answer for answer in first if answer.table == "item")
    return [
        replace(bib, changes={"bibliographic": clerk.stock.title_changes(with_items=False)}),
        replace(items_, changes={"item": clerk.stock.item_changes()}),
        corrected,
        replace(loans_, changes={"loan": Changes(added=loans_.good)}),
        clerk.again(old, clerk.name("items", "_kopi.csv", day=1), source),
    ]


def _havnsund(clerk: Clerk, first: list[Answer], source: Path) -> list[Answer]:
    """Deltas, which carry no deletions, and yesterday's loans once more."""
    stock = clerk.stock
    every = ids.numbers(0, clerk.world.titles + stock.new_titles)
    touched = every[stock.corrected(every) | (every >= clerk.world.titles)]
    # A record that is deleted is in no delta: it stays until a whole export comes.
    touched = touched[~np.isin(touched, np.flatnonzero(stock.titles_gone))]
    bib = clerk.bibliographic(touched, mode="delta", bad=0.0)
    changed = int((touched < clerk.world.titles).sum())
    items_ = replace(stock.item_changes(touched), deleted=0)
    moved = stock.patrons[stock.moved(stock.patrons) | (stock.patrons >= clerk.world.patrons)]
    people = clerk.patrons(index=moved, mode="delta")
    loans_ = clerk.loans(lambda found: chosen(_touched(clerk.world, found, stock.on)), loans="history", mode="delta")
    old = next(answer for answer in first if answer.table == "loan")
    return [
        replace(bib, changes={"bibliographic": Changes(added=len(touched) - changed, changed=changed), "item": items_}),
        replace(people, changes={"patron_identity": _patron_changes(stock, deleted=False, untouched=False)}),
        replace(loans_, changes={"loan": _loan_changes(clerk.world, stock.on, untouched=False)}),
        clerk.again(old, clerk.name("loans", "_igen.csv", day=1), source),
    ]


def _almvik(clerk: Clerk, first: list[Answer], source: Path) -> list[Answer]:
    """A whole catalogue, the open loans, and those brought back today."""
    on = clerk.stock.on
    bib = clerk.bibliographic()
    open_ = clerk.loans(lambda found: chosen(found.end > on), name=clerk.name("loans_open"), loans="open")
    history = clerk.loans(lambda found: chosen(found.end == on), name=clerk.name("loans_history"), loans="history", mode="delta")
    people = clerk.patrons()
    # The mended records of the day before are not there any more.
    repaired = next(answer.repaired for answer in first if answer.table == "bibliographic")
    titles = clerk.stock.title_changes(with_items=True)
    titles = replace(titles, deleted=titles.deleted + repaired)
    items_ = clerk.stock.item_changes(with_count=False)
    return [
        replace(bib, changes={"bibliographic": titles, "item": items_}),
        replace(people, changes={"patron_identity": _patron_changes(clerk.stock)}),
        replace(open_, changes={"loan": _open_changes(clerk.world, on)}),
        replace(history, changes={"loan": _returned_changes(clerk.world, on)}),
    ]


def _molendal(clerk: Clerk, first: list[Answer], source: Path) -> list[Answer]:
    """The whole history of loans, the patrons, and a catalogue that broke off half-way: were it taken in, half the titles would go."""
    half = clerk.bibliographic(clerk.stock.titles[: len(clerk.stock.titles) // 2], bad=0.0)
    loans_, people = clerk.loans(loans="history"), clerk.patrons()
    return [
        replace(half, outcome="held", reason="MASS_DELETION", rows={}, note="half of the catalogue is missing"),
        replace(people, changes={"patron_identity": _patron_changes(clerk.stock)}),
        replace(loans_, changes={"loan": _loan_changes(clerk.world, clerk.stock.on)}),
    ]


def _patron_changes(stock: Stock, deleted: bool = True, untouched: bool = True) -> Changes:
    kept = stock.patrons[stock.patrons < stock.world.patrons]
    moved = stock.moved(kept)
    # Of a protected patron the file has no address: nothing is seen of the move.
    changed = int((moved & ~protected(stock.world, kept)).sum())
    unseen = int(moved.sum()) - changed
    gone = int(stock.patrons_gone.sum()) if deleted else 0
    return Changes(added=stock.new_patrons, changed=changed, deleted=gone, unchanged=len(kept) - changed if untouched else unseen)


def _renewed(world: World, found: Loans, on: int) -> Index:
    """How many renewals a row shows at the end of day `on`."""
    return np.where(found.end <= on, found.renewals, np.clip((on - found.day - 1) // world.library.loan_days, 0, found.renewals))


def _differs(world: World, found: Loans, on: int) -> Flags:
    """Loans from before `on` that were brought back or renewed on that day."""
    differs: Flags = (found.day < on) & (
        (found.end == on) | ((found.end > on) & (_renewed(world, found, on) != _renewed(world, found, on - 1)))
    )
    return differs


def _touched(world: World, found: Loans, on: int) -> Flags:
    touched: Flags = (found.day == on) | _differs(world, found, on)
    return touched


def _loan_changes(world: World, on: int, untouched: bool = True) -> Changes:
    """What a history of the second day changes. That a loan has lost its patron changes nothing: the lake had cut that link by itself."""
    added = changed = total = 0
    for found in loans(world, last=on):
        old = found.where(chosen(found.day < on))
        total += len(old)
        added += int((found.day == on).sum())
        changed += int(_differs(world, old, on).sum())
    return Changes(added=added, changed=changed, unchanged=total - changed if untouched else 0)


def _open_changes(world: World, on: int) -> Changes:
    added = changed = unchanged = 0
    for found in loans(world, first=on - LONGEST, last=on):
        still = found.where(chosen(found.end > on))
        added += int((still.day == on).sum())
        renewed = int(_differs(world, still, on).sum())
        changed, unchanged = changed + renewed, unchanged + int((still.day < on).sum()) - renewed
    return Changes(added=added, changed=changed, unchanged=unchanged)


def _returned_changes(world: World, on: int) -> Changes:
    back = [found.where(chosen(found.end == on)) for found in loans(world, first=on - LONGEST, last=on)]
    added = sum(int((found.day == on).sum()) for found in back)
    return Changes(added=added, changed=sum(map(len, back)) - added)
