"""Whose sidecar a folder holds: the partner's that reads or fills it first. Two libraries in one folder would lend each other's books."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from include.engine.errors import SettingsError

MARK = "partner"


def claim(folder: Path, partner: str) -> None:
    """The folder is this partner's. SettingsError when it is another's; a folder that is not there yet is nobody's."""
    if not folder.exists():
        return
    mark = folder / MARK
    if not mark.exists():
        written = folder / f".{secrets.token_hex(6)}.{MARK}"
        written.write_text(partner)
        try:
            os.link(written, mark)
        except FileExistsError:
            pass  # another was quicker
        finally:
            written.unlink()
    owner = mark.read_text()
    if owner != partner:
        raise SettingsError(
            f"the sidecar in the folder {folder.name} is {owner}'s.",
            where=partner,
            do=f"Name another folder in both circulation flows; if {owner} is this library by an older name, remove {folder.name}/{MARK}.",
        )
