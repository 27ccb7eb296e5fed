"""Who a row is about, as the lake may know it: a pseudonym of the library system's own patron id, found by id, by card, or through a merge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.engine.privacy.pseudonym import Pseudonyms

#: A merged patron may have been merged again; a longer chain than this is a circle.
HOPS = 8


@dataclass(frozen=True)
class Aliases:
    """The partner's rows of the lake table `patron_alias`: a card's or a merged patron's pseudonym -> the patron's."""

    alias: pa.Array
    patron: pa.Array

    @classmethod
    def of(cls, table: pa.Table) -> Aliases:
        """From columns `alias` and `patron`."""
        return cls(table.column("alias").combine_chunks(), table.column("patron").combine_chunks())

    def look_up(self, values: pa.Array) -> pa.Array:
        """The patron of each alias; null for what is no alias."""
        if not len(self.alias):
            return pa.nulls(len(values), pa.string())
        return self.patron.take(pc.index_in(values, value_set=self.alias))

    def final(self, patrons: pa.Array) -> pa.Array:
        """Where patrons were merged into others: those others."""
        for _ in range(HOPS):
            onward = self.look_up(patrons)
            if onward.null_count == len(onward):
                break
            patrons = pc.coalesce(onward, patrons)
        return patrons


@dataclass(frozen=True)
class People:
    """`patron` of each row (null: nobody is named), `is_alias` where only a card is known that belongs to no patron yet."""

    patron: pa.Array
    is_alias: pa.Array
    key_id: pa.Array

    @property
    def unresolved(self) -> int:
        return int(pc.sum(self.is_alias).as_py() or 0)


def people(patron_ids: pa.Array, cards: pa.Array, pseudonyms: Pseudonyms, aliases: Aliases) -> People:
    """The patrons of rows that name them by id, or else by card number."""
    patron = pseudonyms.of(patron_ids)
    is_alias = np.zeros(len(patron), np.bool_)
    by_card = np.asarray(pc.and_(patron.is_null(), cards.is_valid()))
    if by_card.any():
        alias = pseudonyms.of(cards, "card")
        owner = aliases.look_up(alias)
        patron = pc.coalesce(patron, owner, alias)
        is_alias = by_card & np.asarray(owner.is_null())
    patron = aliases.final(patron)
    key_id = pc.if_else(patron.is_valid(), pa.scalar(pseudonyms.key_id, pa.string()), pa.scalar(None, pa.string()))
    return People(patron, pa.array(is_alias), key_id)
