"""How the demo's files get into the inboxes: in waves, each library over its own transport and in its own way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Literal

from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.storage.filesystem import Store, open_store
from include.sandbox.deliveries import Drop, prepare
from include.sandbox.demo.installation import Installation
from include.sandbox.demo.partners import expecting

INBOXES = {
    "lindeby": "file:inbox/lindeby",
    "havnsund": "file:inbox/havnsund",
    "almvik": "sftp://almvik_inbox/exports",
    "molendal": "smb://molendal_inbox/deliveries/exports",
}
_LINDEBY_ALONE = ("authority", "hold", "fee")
"""Tables that one library is enough for: two cores should be done in minutes."""
_PEOPLE_AND_STOCK = ("bibliographic", "authority", "item", "patron")


def prepared(installation: Installation, loans: int) -> list[Drop]:
    """Everything that the libraries whose inbox is there will deliver on two days, the latter today; nothing else is expected of them."""
    last, folder = clock.now().date() - timedelta(days=1), installation.home / "world"
    days: tuple[Literal[1, 2], ...] = (1, 2)
    drops = [one for day in days for one in prepare(folder, day=day, loans=loans, last=last) if one.library in installation.inboxes]
    wanted = [one for one in drops if one.library == "lindeby" or one.answer.outcome == "blocked" or one.answer.table not in _LINDEBY_ALONE]
    # Yesterday's bytes go before today's: after them they would be news again. What is refused goes last: others would wait for it.
    order = {"duplicate": 0, "published": 1, "held": 1, "blocked": 2}
    expecting(
        Path(installation.env["BINDERY_PARTNERS"]),
        {library: {one.file for one in wanted if one.library == library} for library in installation.inboxes},
    )
    return sorted(wanted, key=lambda one: (_wave(one), order[one.answer.outcome]))


def _wave(one: Drop) -> int:
    """Catalogue and patrons before loans, so that every figure is certain; files of one table go in order in any case."""
    early = one.answer.table in _PEOPLE_AND_STOCK or one.answer.outcome == "duplicate"
    return 2 * one.answer.day + (0 if early else 1)


def waves(drops: Iterable[Drop]) -> list[list[Drop]]:
    """The drops, wave by wave: those of one are dropped together, once those of the wave before are done."""
    found: dict[int, list[Drop]] = {}
    for one in drops:
        found.setdefault(_wave(one), []).append(one)
    return [found[wave] for wave in sorted(found)]


def drop(installation: Installation, one: Drop) -> None:
    """Deliver a file as its library does: as it is, with its done file, or under a temporary name first."""
    with _inbox(installation, one.library) as store:
        name = f"{one.file}.part" if one.way == "rename" else one.file
        with one.path.open("rb") as source:
            store.put(name, source)
        if one.way == "rename":
            store.rename(name, one.file, overwrite=True)
        elif one.way == "done_file":
            store.put(f"{one.file}.done", b"done\n")


def _inbox(installation: Installation, library: str) -> Store:
    return open_store(INBOXES[library], EnvironmentCredentials(installation.env), installation.home)
