"""What the libraries deliver in the demo, in which order, and how it gets into their inboxes: over each one's own transport."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from include.engine.credentials import EnvironmentCredentials
from include.engine.storage.filesystem import Store, open_store
from include.sandbox.demo.installation import Installation
from include.sandbox.world import make
from include.sandbox.world.answers import Answer

BAD = 0.02
"""Share of records that are broken on purpose."""
INBOXES = {
    "lindeby": "file:inbox/lindeby",
    "havnsund": "file:inbox/havnsund",
    "almvik": "sftp://almvik_inbox/exports",
    "molendal": "smb://molendal_inbox/deliveries/exports",
}
_LINDEBY_ALONE = ("authority", "hold", "fee")
"""Tables that one library is enough for: two cores should be done in minutes."""
_PEOPLE_AND_STOCK = ("bibliographic", "authority", "item", "patron")


@dataclass(frozen=True)
class Drop:
    """One file to deliver, and what must come of it. Files of one `wave` are dropped together, once those of the wave before are done."""

    library: str
    source: Path
    answer: Answer
    wave: int

    @property
    def name(self) -> str:
        return self.answer.file


def prepared(installation: Installation, loans: int) -> list[Drop]:
    """Everything that the libraries whose inbox is there will deliver: two days, and yesterday's bytes under another name in between."""
    out = installation.home / "world"
    drops = []
    for library in installation.inboxes:
        for answer in make(library, loans, out, bad=BAD).files:
            if library == "lindeby" or answer.table not in _LINDEBY_ALONE:
                drops.append(Drop(library, out / library / f"day{answer.day}" / answer.file, answer, _wave(answer)))
    # Yesterday's bytes go before today's: after them they would be news again.
    return sorted(drops, key=lambda one: (one.wave, one.answer.outcome != "duplicate"))


def _wave(answer: Answer) -> int:
    """Catalogue and patrons before loans, so that the figures of the answer sheet hold; files of one table go in order in any case."""
    return 2 * answer.day + (0 if answer.table in _PEOPLE_AND_STOCK or answer.outcome == "duplicate" else 1)


def waves(drops: Iterable[Drop]) -> list[list[Drop]]:
    """The drops, wave by wave."""
    found: dict[int, list[Drop]] = {}
    for one in drops:
        found.setdefault(one.wave, []).append(one)
    return [found[wave] for wave in sorted(found)]


def drop(installation: Installation, one: Drop) -> None:
    """Deliver a file as its library does: under a temporary name first, and with its done file where that is agreed."""
    with _inbox(installation, one.library) as store:
        with one.source.open("rb") as source:
            store.put(one.name, source)
        if one.library == "havnsund":
            store.put(f"{one.name}.done", b"done\n")


def _inbox(installation: Installation, library: str) -> Store:
    return open_store(INBOXES[library], EnvironmentCredentials(installation.env), installation.home)
