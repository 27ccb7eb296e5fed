"""What becomes of segments that are no longer needed: their key is destroyed, and then the file goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from connectors.circulation.journal.segment import read_header, segments
from include.engine.crypto.keys import KeyStore

PURPOSE = "journal"


def retire(
    folder: Path, keys: KeyStore, *, until: int, kept: timedelta, now: Callable[[], datetime], subject: str = "circulation"
) -> list[Path]:
    """Take away the segments whose every entry is at or below `until` and that were last written before `kept`; returns those that went.

    The newest segment stays, whatever is in it. A key that a younger segment was sealed with too is not destroyed. `subject`
    is whose keys these are: the sidecar's folder.
    """
    found = segments(folder)
    gone: list[Path] = []
    for path, following in pairwise(found):
        if _first(following) - 1 > until or now().timestamp() - path.stat().st_mtime < kept.total_seconds():
            break
        gone.append(path)
    needed = {_key(path) for path in found[len(gone) :]}
    done = {key for path in gone if (key := _key(path)) is not None} - needed
    keys.destroy_all(sorted(done & set(keys.find(PURPOSE, subject))), why="retention of the circulation journal")
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def _first(path: Path) -> int:
    return int(path.name.partition("-")[0])


def _key(path: Path) -> str | None:
    with path.open("rb") as file:
        header = read_header(file)
    return header.key_id if header else None
