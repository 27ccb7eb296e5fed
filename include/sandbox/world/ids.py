"""The identifiers that each library's system gives: numbers that leave gaps, or UUIDs (FOLIO)."""

from __future__ import annotations

import numpy as np

from include.sandbox.world.chance import Index, below, bits
from include.sandbox.world.text import Strings, digits, joined, pick, uuids, whole
from include.sandbox.world.titles import control_numbers
from include.sandbox.world.world import World


def patron_id(world: World, patron: Index) -> Strings:
    """The system's internal id, which a card is not."""
    if world.library.id == "almvik":
        return _uuid(world, "patron", patron)
    return whole(200_001 + _gapped(world, "patron", patron))


def item_id(world: World, item: Index) -> Strings:
    if world.library.id == "almvik":
        return _uuid(world, "item", item)
    return whole(3_000_001 + _gapped(world, "item", item))


def barcode(world: World, item: Index) -> Strings:
    """The number on the item's label."""
    prefix = {"lindeby": "", "havnsund": "HS", "almvik": "", "molendal": "MLD"}[world.library.id]
    start = {"lindeby": 5_100_000_000, "havnsund": 0, "almvik": 31_990_000_000_000, "molendal": 0}[world.library.id]
    width = {"lindeby": 10, "havnsund": 9, "almvik": 14, "molendal": 8}[world.library.id]
    return joined(prefix, digits(start + _gapped(world, "barcode", item), width))


def card(world: World, patron: Index, second: bool = False) -> Strings:
    """A patron's first or second card number."""
    return digits(world.library.first_card + _gapped(world, "card", patron) + (50_000_000 if second else 0), 10)


def loan_id(world: World, ordinal: Index) -> Strings:
    if world.library.id == "almvik":
        return _uuid(world, "loan", ordinal)
    return whole(10_000_001 + ordinal)


def hold_id(world: World, hold: Index) -> Strings:
    if world.library.id == "almvik":
        return _uuid(world, "hold", hold)
    return whole(700_001 + hold)


def fee_id(world: World, ordinal: Index) -> Strings:
    """A fee is named after the loan that caused it."""
    if world.library.id == "almvik":
        return _uuid(world, "fee", ordinal)
    return whole(4_000_001 + ordinal)


def foreign_item(world: World, ordinal: Index) -> Strings:
    """An item that is not in the library's own stock: it came on interlibrary loan, and no item file names it."""
    if world.library.id == "almvik":
        return _uuid(world, "foreign item", ordinal)
    return whole(90_000_001 + ordinal)


def control_number(world: World, title: Index) -> Strings:
    prefix, first = control_numbers(world)
    return joined(prefix, whole(first + title))


def branch_code(world: World, branch: Index) -> Strings:
    return pick([branch.code for branch in world.library.branches], branch)


def _gapped(world: World, name: str, index: Index) -> Index:
    """Rising numbers with gaps: seven places for each."""
    numbers: Index = index * 7 + below(7, world.seed, f"gap {name}", index)
    return numbers


def _uuid(world: World, name: str, index: Index) -> Strings:
    return uuids(bits(world.seed, f"{name} uuid", index), bits(world.seed, f"{name} uuid, second half", index))


def numbers(first: int, until: int) -> Index:
    """The whole numbers first <= n < until."""
    return np.arange(first, until, dtype=np.int64)
