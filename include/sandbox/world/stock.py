"""What there is on each of the two days: titles, items and patrons that stay, change, come and go overnight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from include.sandbox.world import ids
from include.sandbox.world.answers import Changes
from include.sandbox.world.chance import Index, unit
from include.sandbox.world.items import Items, items, stock_use
from include.sandbox.world.loans import Flags
from include.sandbox.world.world import World, day_number


@dataclass(frozen=True)
class Stock:
    """The world as it stands at the end of `day`: 1 is the world's last day, 2 the one after it."""

    world: World
    day: int

    @property
    def on(self) -> int:
        """Days since 1970-01-01."""
        return day_number(self.world.last) + self.day - 1

    @property
    def new_titles(self) -> int:
        return max(2, self.world.titles // 200)

    @cached_property
    def titles(self) -> Index:
        if self.day == 1:
            return ids.numbers(0, self.world.titles)
        return np.concatenate([np.flatnonzero(~self.titles_gone), ids.numbers(self.world.titles, self.world.titles + self.new_titles)])

    @cached_property
    def titles_gone(self) -> Flags:
        """Titles that are deleted overnight: none that has an item on loan."""
        out = stock_use(self.world, day_number(self.world.last) + 1)[1]
        busy: Flags = np.bincount(self.world.item_title(np.flatnonzero(out)), minlength=self.world.titles) > 0
        gone: Flags = (unit(self.world.seed, "title gone", ids.numbers(0, self.world.titles)) < 0.004) & ~busy
        if not gone.any():
            # However small the world, something goes.
            gone[np.flatnonzero(~busy)[-1:]] = True
        return gone

    def corrected(self, titles: Index) -> Flags:
        """Titles whose record is corrected overnight."""
        if self.day == 1:
            return np.zeros(len(titles), dtype=np.bool_)
        corrected: Flags = ((unit(self.world.seed, "corrected", titles) < 0.01) | (titles == 3)) & (titles < self.world.titles)
        return corrected

    @cached_property
    def items(self) -> Index:
        if self.day == 1:
            return ids.numbers(0, self.world.items)
        return np.concatenate([np.flatnonzero(~self.items_gone), ids.numbers(self.world.items, self.world.items + 2 * self.new_titles)])

    @cached_property
    def items_gone(self) -> Flags:
        """Items that go overnight: those of a deleted title, and a few that are not on loan."""
        every = ids.numbers(0, self.world.items)
        out = stock_use(self.world, day_number(self.world.last) + 1)[1]
        gone: Flags = self.titles_gone[self.world.item_title(every)] | ((unit(self.world.seed, "item gone", every) < 0.002) & ~out)
        return gone

    def items_of(self, index: Index) -> Items:
        """These items as they stand; those that are not there any more or not yet are left out."""
        if self.day == 1:
            return items(self.world, index[index < self.world.items], self.on)
        here = (index < self.world.items + 2 * self.new_titles) & ~np.where(
            index < self.world.items, self.items_gone[np.minimum(index, self.world.items - 1)], False
        )
        index = index[here]
        return items(self.world, index, self.on, moved=unit(self.world.seed, "item moved", index) < 0.01)

    def item_changes(self, titles: Index | None = None, with_count: bool = True) -> Changes:
        """What an item file of the second day changes; of some titles only, and without the number of loans where the file has none."""
        kept = np.flatnonzero(~self.items_gone)
        new, gone = ids.numbers(self.world.items, self.world.items + 2 * self.new_titles), int(self.items_gone.sum())
        if titles is not None:
            kept = kept[np.isin(self.world.item_title(kept), titles)]
            new, gone = new[np.isin(self.world.item_title(new), titles)], 0
        changed = int(self._differs(kept, with_count).sum())
        return Changes(added=len(new), changed=changed, deleted=gone, unchanged=len(kept) - changed)

    def _differs(self, kept: Index, with_count: bool) -> Flags:
        """Which of the items of both days another file would show otherwise."""
        before, after = Stock(self.world, 1).items_of(kept), self.items_of(kept)
        differs: Flags = (before.status != after.status) | (before.department != after.department)
        return differs | (before.loan_count != after.loan_count) if with_count else differs

    def title_changes(self, with_items: bool) -> Changes:
        """What a whole catalogue of the second day changes; `with_items` where the items are in the records: then theirs change it too."""
        kept = self.titles[self.titles < self.world.titles]
        changed = self.corrected(kept)
        if with_items:
            stay = np.flatnonzero(~self.items_gone)
            other = np.concatenate([stay[self._differs(stay, with_count=False)], np.flatnonzero(self.items_gone)])
            changed |= np.isin(kept, self.world.item_title(other))
        count = int(changed.sum())
        return Changes(added=self.new_titles, changed=count, deleted=int(self.titles_gone.sum()), unchanged=len(kept) - count)

    @property
    def new_patrons(self) -> int:
        return max(10, self.world.patrons // 1000 * 10)

    @cached_property
    def patrons(self) -> Index:
        if self.day == 1:
            return ids.numbers(0, self.world.patrons)
        return np.concatenate([np.flatnonzero(~self.patrons_gone), ids.numbers(self.world.patrons, self.world.patrons + self.new_patrons)])

    @cached_property
    def patrons_gone(self) -> Flags:
        """Whole families that move away overnight, so that no minor loses its guardian."""
        families = unit(self.world.seed, "family gone", ids.numbers(0, self.world.patrons // 10)) < 0.003
        return np.repeat(families, 10)[: self.world.patrons]

    def moved(self, patrons: Index) -> Flags:
        """Patrons whose family has another address on the second day."""
        if self.day == 1:
            return np.zeros(len(patrons), dtype=np.bool_)
        return ((unit(self.world.seed, "family moved", patrons // 10) < 0.02) | (patrons < 10)) & (patrons < self.world.patrons)
