"""Patrons as columns: what a library keeps of the people and institutions that borrow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from include.sandbox.world import ids, numbers, people
from include.sandbox.world.chance import Index, below, unit
from include.sandbox.world.people import Flags
from include.sandbox.world.text import Strings, blank, digits, either, joined, pick, whole
from include.sandbox.world.titles import words
from include.sandbox.world.world import World, day_number

CATEGORIES = ("adult", "child", "senior", "institution", "student", "staff")
_ASCII = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ä": "a", "ö": "o", "é": "e", "ë": "e", " ": ""})


@dataclass(frozen=True)
class Patrons:
    """Columns of equal length. Text is null where the library knows nothing; -1 in an index means nobody; days count from 1970-01-01."""

    index: Index
    patron_id: Strings
    card: Strings
    second_card: Strings
    national_id: Strings
    first_name: Strings
    last_name: Strings
    email: Strings
    phone: Strings
    address: Strings
    postal_code: Strings
    city: Strings
    municipality: Strings
    birth_day: Index
    male: Flags
    category: Index
    """position in CATEGORIES"""
    branch: Index
    institution: Flags
    guardian: Index
    protected: Flags
    consent: Flags
    valid_until: Index
    blocked: Flags
    merged_into: Index

    def __len__(self) -> int:
        return len(self.index)


def patrons(world: World, index: Index, moved: Flags | None = None) -> Patrons:
    """The patrons with these numbers; `moved` ones have another address than before (the second day)."""
    lists, seed = words(world.library.language), world.seed
    institution, male, protected = people.institution(world, index), people.male(world, index), people.protected(world, index)
    family = index // 10
    # A family shares its surname, street and town.
    surname = below(len(lists["surnames"]), seed, "family name", family)
    given = below(len(lists["given_f"]), seed, "given name", index)
    first = either(male, pick(lists["given_m"], given), pick(lists["given_f"], given))
    kind = pick(lists["institutions"], below(len(lists["institutions"]), seed, "institution kind", index))
    town = below(len(world.library.places), seed, "town", family)
    street = below(len(lists["streets"]), seed, "street", family)
    house = 1 + below(140, seed, "house", family)
    if moved is not None:
        house = np.where(moved, house + 140, house)
    unknown = protected | institution
    merged = people.merged(world, index)
    return Patrons(
        index=index,
        patron_id=ids.patron_id(world, index),
        card=ids.card(world, index),
        second_card=blank(ids.card(world, index, second=True), ~people.second_card(world, index)),
        national_id=blank(_national(world, index), institution),
        first_name=blank(first, institution),
        last_name=either(
            institution, joined(pick([place[1] for place in world.library.places], town), " ", kind), pick(lists["surnames"], surname)
        ),
        email=blank(_mail(world, index, surname), unit(seed, "mail", index) < 0.2),
        phone=blank(_phone(world, index), unit(seed, "phone", index) < 0.25),
        address=blank(joined(pick(lists["streets"], street), " ", whole(house)), protected),
        postal_code=blank(pick([place[0] for place in world.library.places], town), protected),
        city=blank(pick([place[1] for place in world.library.places], town), protected),
        municipality=pick([place[2] for place in world.library.places], town),
        birth_day=people.birth_day(world, index),
        male=male,
        category=_category(world, index, institution),
        branch=world.patron_branch(index),
        institution=institution,
        guardian=people.guardian(world, index),
        protected=protected,
        consent=people.consent(world, index) & ~unknown,
        valid_until=day_number(world.last) + 30 + below(700, seed, "valid", index),
        blocked=people.blocked(world, index),
        merged_into=np.where(merged, people.merged_into(index), -1),
    )


def _category(world: World, index: Index, institution: Flags) -> Index:
    place = index % 10
    category = np.where(place >= 7, 1, np.where(place == 6, 2, 0))
    if not world.library.public:
        category = np.where(place < 6, np.where(unit(world.seed, "staff", index) < 0.3, 5, 4), category)
    return np.where(institution, 3, category)


@lru_cache(maxsize=4)
def _ranks(world: World) -> Index:
    everybody = ids.numbers(0, world.patrons + world.patrons // 10 + 100)
    return numbers.rank_of_birthday(people.birth_day(world, everybody), people.male(world, everybody))


def _national(world: World, index: Index) -> Strings:
    day, male, rank = people.birth_day(world, index), people.male(world, index), _ranks(world)[index]
    if world.library.numbers == "cpr":
        return numbers.cpr(day, male, rank)
    if world.library.numbers == "personnummer":
        return numbers.personnummer(day, male, rank)
    dutch = unit(world.seed, "lives across the border", index) < 0.1
    return either(dutch, numbers.bsn(index), numbers.rijksregister(day, male, rank))


def _mail(world: World, index: Index, surname: Index) -> Strings:
    short = [name.lower().translate(_ASCII) for name in words(world.library.language)["surnames"]]
    return joined(pick(short, surname), ".", whole(index + 1), f"@{world.library.id}.example")


def _phone(world: World, index: Index) -> Strings:
    """Numbers of series that are kept for fiction or given to nobody."""
    prefix, width = {"DK": ("+45 00", 6), "SE": ("+46 70 1740", 3), "BE": ("+32 499 00", 4)}[world.library.country]
    return joined(prefix, digits(below(10**width, world.seed, "phone number", index), width))
