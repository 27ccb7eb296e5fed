"""What is true of each patron, by index: families of ten, with guardians, institutions, protected and merged patrons.

In a family of ten 0 to 5 are adults, 6 is old, 7 to 9 are minors with an adult of the family as guardian; about one adult in forty
is an institution.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from include.sandbox.world.chance import Index, below, bits, unit
from include.sandbox.world.world import World, day_number

Flags = npt.NDArray[np.bool_]


def institution(world: World, patron: Index) -> Flags:
    """Schools, day care and the like; never place 0 of a family, who is somebody's guardian."""
    return (unit(world.seed, "institution", patron) < 0.025) & (patron % 10 > 0) & (patron % 10 < 6)


def minor(patron: Index) -> Flags:
    return patron % 10 >= 7


def guardian(world: World, patron: Index) -> Index:
    """The index of every minor's guardian, -1 for anybody else."""
    first = patron - patron % 10
    other = first + below(6, world.seed, "guardian", patron)
    adult = np.where(institution(world, other), first, other)
    return np.where(minor(patron), adult, -1)


def birth_day(world: World, patron: Index) -> Index:
    """Days since 1970-01-01 (most are negative): minors of 1 to 16 years, adults of 19 to 66, old ones of 67 to 96."""
    place = patron % 10
    low = np.where(place >= 7, 1, np.where(place == 6, 67, 19))
    high = np.where(place >= 7, 17, np.where(place == 6, 97, 67))
    return day_number(world.last) - low * 366 - below((high - low) * 365, world.seed, "birth", patron)


def male(world: World, patron: Index) -> Flags:
    return (bits(world.seed, "sex", patron) & np.uint64(1)).astype(np.bool_)


def consent(world: World, patron: Index) -> Flags:
    """Has agreed to be written to."""
    return unit(world.seed, "consent", patron) < 0.55


def keeps_history(world: World, patron: Index) -> Flags:
    """Asked the library to keep the loan history; an institution's is always kept."""
    return (unit(world.seed, "keeps history", patron) < 0.5) | institution(world, patron)


def protected(world: World, patron: Index) -> Flags:
    """Name and address are protected by the civil register."""
    return (unit(world.seed, "protected", patron) < 0.012) & ~institution(world, patron)


def merged(world: World, patron: Index) -> Flags:
    """A double of another patron, since merged into it."""
    return (unit(world.seed, "merged", patron) < 0.006) & (patron % 10 > 0) & (patron % 10 < 6) & ~institution(world, patron)


def merged_into(patron: Index) -> Index:
    """The patron that a merged one became: place 0 of the family."""
    return patron - patron % 10


def second_card(world: World, patron: Index) -> Flags:
    return unit(world.seed, "second card", patron) < 0.18


def blocked(world: World, patron: Index) -> Flags:
    return unit(world.seed, "blocked", patron) < 0.02
