"""What the ledger says is there, is there after the power went too."""

from __future__ import annotations

import os
from pathlib import Path

from include.engine.inbound.gate import gate
from include.engine.inbound.receive import receive
from tests.engine.inbound import paper
from tests.engine.inbound.paper import GOOD


def test_what_the_ledger_names_is_on_the_disk_by_name_and_content(house, monkeypatch) -> None:
    synced: set[str] = set()
    real = os.fsync

    def fsync(file: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{file}").readlink()))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    house.drop("hold_1.txt", GOOD + "bad\n")
    [claimed] = house.claimed()
    receive(house.engine, claimed.id, paper)
    gate(house.engine, claimed.id, paper)
    found = house.get(claimed.id)
    for folder in (house.engine.home / found.staged_uri, house.engine.home / found.gated_uri):
        names = {path.name for path in folder.iterdir()}
        written = {name for name in names if any(name in one.rpartition("/")[2] for one in synced if one.startswith(f"{folder}/"))}
        assert (written, str(folder) in synced) == (names, True)
