"""The deliveries that the harness hurts: each seed takes the next one, in a world of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A file of a library's world by (table, day), and those that are taken in before it."""

    name: str
    library: str
    file: tuple[str, int]
    before: tuple[tuple[str, int], ...] = ()
    apart: int = 0
    """The file is of a world whose seed is that much higher than that of the files before it."""

    @property
    def two_days(self) -> bool:
        return 2 in {day for _, day in (self.file, *self.before)}


TARGETS = (
    Target("patrons, new: one file, three tables", "lindeby", ("patron", 1)),
    Target("titles with items and holdings, a second whole export", "almvik", ("bibliographic", 2), (("bibliographic", 1),)),
    Target("loans with unknown items, with a done file", "havnsund", ("loan", 1)),
    Target("titles with items, a delta upon a whole export", "havnsund", ("bibliographic", 2), (("bibliographic", 1),)),
    Target("loan events in an archive, upon items", "lindeby", ("loan", 1), (("item", 1),)),
    Target("patrons, Latin-1", "molendal", ("patron", 1)),
)

FRAGMENTS = Target("loan events upon two deliveries of them", "lindeby", ("loan", 1), (("loan", 1), ("loan", 2)), apart=500)
"""For whom a compaction has something to do."""


def target_of(seed: int) -> Target:
    """Which target a seed (from 1) takes."""
    return TARGETS[(seed - 1) % len(TARGETS)]
