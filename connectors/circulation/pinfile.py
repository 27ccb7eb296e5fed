"""PINs from a library system's export, taken while the sidecar serves: `pins FILE` leaves their hashes, the sidecar takes them over.

The file is CSV with the columns `card` (or `patron`) and `pin`; a PIN is given as it is typed in, or as its hash. Only hashes are left for the
sidecar, in a folder of its own, and only until it has taken them: some thousand at a time, so that the first count while the others are hashed.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import time
from itertools import islice
from pathlib import Path
from typing import Protocol

from connectors.circulation.backend import Away
from connectors.circulation.hashing import Told, hashes
from include.engine.errors import Refused

log = logging.getLogger("bindery.circulation")
FOLDER = "pins"
LOOK_SECONDS = 2.0
AT_ONCE = 1000
"""PINs that are left together."""


class Keeper(Protocol):
    """What keeps PINs: the embedded back end, or the copy before another library system."""

    async def keep_pin(self, who: str, pin: str) -> bool: ...


def leave(file: Path, folder: Path, told: Told = lambda _done, _all: None) -> int:
    """Leave a file's PINs for the sidecar of `folder`; returns how many. Refused names file and row, never what stands there: all are read before
    the first is left. `told` hears how many are hashed."""
    text = file.read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    found = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count)), start=1):
        who, pin = (row.get("card") or row.get("patron") or "").strip(), (row.get("pin") or "").strip()
        if not who or not pin:
            raise Refused(
                f"row {number} lacks a card (or patron) or a pin.", where=str(file), do="Mend the row; the columns are card and pin."
            )
        found.append((who, pin))
    place = folder / FOLDER
    place.mkdir(mode=0o700, exist_ok=True, parents=True)
    ready = zip((who for who, _ in found), hashes([pin for _, pin in found], told), strict=True)
    while some := list(islice(ready, AT_ONCE)):
        part = place / f"{time.time_ns()}.part"
        part.touch(mode=0o600)
        part.write_text("".join(json.dumps(one) + "\n" for one in some), encoding="utf-8")
        part.rename(part.with_suffix(".jsonl"))
    return len(found)


async def take_pins(folder: Path, keeper: Keeper) -> None:
    """Take over what is left, until cancelled. A file stays while the store is away, and is gone when all of it is taken."""
    while True:
        for path in sorted((folder / FOLDER).glob("*.jsonl")):
            try:
                known = [await keeper.keep_pin(*json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
            except Away:
                break
            path.unlink()
            log.info("%d PINs were taken over; of %d cards nobody is known", sum(known), len(known) - sum(known))
        await asyncio.sleep(LOOK_SECONDS)
