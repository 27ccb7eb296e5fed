"""The deliveries that the harness hurts: each seed takes the next one, in a world of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Part(NamedTuple):
    """A file of a library's world."""

    table: str
    day: int = 1


@dataclass(frozen=True)
class Target:
    """The file that is hurt, and those that are taken in before it."""

    name: str
    library: str
    file: Part
    before: tuple[Part, ...] = ()


TARGETS = (
    Target("patrons, new: one file, three tables", "lindeby", Part("patron")),
    Target("titles with items and holdings, a second whole export", "almvik", Part("bibliographic", 2), (Part("bibliographic"),)),
    Target("loans with unknown items, with a done file", "havnsund", Part("loan")),
    Target("titles with items, a delta upon a whole export", "havnsund", Part("bibliographic", 2), (Part("bibliographic"),)),
    Target("loan events in an archive, upon items", "lindeby", Part("loan"), (Part("item"),)),
    Target("patrons, Latin-1", "molendal", Part("patron")),
)

FRAGMENTS = Target("items of titles, upon those of loans", "havnsund", Part("bibliographic", 2), (Part("bibliographic"), Part("loan")))
"""Its table `item` has several files before: a compaction has something to do."""


def target_of(seed: int) -> Target:
    """Which target a seed (from 1) takes."""
    return TARGETS[(seed - 1) % len(TARGETS)]
