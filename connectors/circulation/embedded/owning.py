"""Whose a schema of PostgreSQL is: two installations with one database, whose folders have one name, would answer from each other's patrons."""

from __future__ import annotations

import secrets
from pathlib import Path

from connectors.circulation.embedded.direct import Database
from include.engine.durable import write_whole
from include.engine.errors import SettingsError

NAME = "installation"
"""A file in the sidecar's folder, and a row of the schema's table `state`: the same number by chance."""


def own(folder: Path, db: Database, schema: str) -> None:
    """Take a schema that is nobody's for this folder. SettingsError where another folder has it.

    A schema or a folder from before November 2026 has no number: it gets one at its first start.
    """
    query = "SELECT value FROM state WHERE name = 'installation'"
    row, mine = db.one(query), _number(folder)
    if row is None:
        mine = mine or _given(folder)
        db.run("INSERT INTO state VALUES ('installation', ?) ON CONFLICT (name) DO NOTHING", (mine,))
        db.commit()
        row = db.one(query)
    db.commit()
    if row is None or row["value"] != mine:
        db.close()
        raise SettingsError(
            f"the schema {schema} of the store's database belongs to another installation than the folder {folder.name}.",
            do=f"Give this one a folder of another name (--folder), or another database. If this folder is that installation's, begun anew or "
            f"restored without its file `{NAME}`, take the row `{NAME}` out of the table {schema}.state.",
        )


def _number(folder: Path) -> int:
    try:
        return int((folder / NAME).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _given(folder: Path) -> int:
    """A new number, durably in the folder before it is in the database."""
    number = secrets.randbits(62) | 1
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / NAME, str(number).encode())
    return number
