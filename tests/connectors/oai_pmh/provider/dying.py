"""A process whose children bring an index up and are killed (-9) at a statement to SQLite: python -m ... FOLDER VERSION SEED...

Where is a matter of chance, later as a rule with each death; the child that comes to its end is the last.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

from connectors.oai_pmh.provider import index, update
from tests.connectors.oai_pmh.provider.house import Row, Shelf, row

TITLES = 60


def rows(version: int) -> list[Row]:
    """Version 0: all titles. Version 1: a third changed, some gone, some new."""
    if version == 0:
        return [row(n) for n in range(TITLES)]
    changed = [
        row(n, title="Other" if n % 3 == 0 else "Huset ved havet", material_type="film" if n % 9 == 0 else "book") for n in range(TITLES)
    ]
    return [one for n, one in enumerate(changed) if n % 7] + [row(1000 + n) for n in range(9)]


def shelf(folder: Path, version: int) -> Shelf:
    made = Shelf(folder, page=7)
    made.put("lindeby", {f"v{version}-{part}": rows(version)[part::2] for part in range(2)})
    return made


def run(folder: Path, version: int, die_at: int) -> bool:
    """Bring the index up in a child that dies at that statement; True when it came to its end."""
    child = os.fork()
    if child == 0:
        left = die_at
        plain = index.connect

        def count(_: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def dying(file: Path, *, make: bool = False) -> sqlite3.Connection:
            connection = plain(file, make=make)
            connection.set_trace_callback(count)
            return connection

        index.connect = dying  # type: ignore[assignment]
        update.CHUNK = 10
        shelf(folder, version).look()
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    made, asked = Path(sys.argv[1]), int(sys.argv[2])
    chance, deaths = random.Random(int(sys.argv[3])), 0
    while not run(made, asked, chance.randrange(1, 150 + 50 * deaths)):
        deaths += 1
        time.sleep(0.01)
        assert deaths < 400
    print(deaths)
