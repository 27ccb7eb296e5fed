"""The newest release, exchanged for a newer one while requests are answered."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path

from connectors.adhl.relations.manifest import read_manifest
from connectors.adhl.service.index import Index
from include.engine.errors import BinderyError
from include.engine.snapshots import latest

log = logging.getLogger("bindery.adhl")


@dataclass
class Newest:
    """`index` is what requests are answered from; None before the first release. Whoever took it goes on with it while it is exchanged."""

    root: Path
    index: Index | None = None
    problem: str | None = None
    _seen: tuple[int, int, int] | None = field(default=None, repr=False)

    def look(self) -> bool:
        """Open the release that latest.json names, if that has changed; True when it was exchanged. One that cannot be read changes nothing."""
        try:
            stat = (self.root / "latest.json").stat()
        except FileNotFoundError:
            return False
        mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if mark == self._seen:
            return False
        self._seen = mark
        try:
            manifest = latest(self.root, read_manifest)
            if manifest is None or (self.index is not None and manifest == self.index.manifest):
                return False
            self.index, self.problem = Index.open(self.root / manifest.path, manifest), None
        except (BinderyError, ValueError, TypeError, KeyError) as error:
            self.problem = str(error)
            log.error("the newest release is not taken: %s", error)
            return False
        log.info("release %s: %s titles, %s relations", manifest.snapshot, f"{self.index.titles:,}", f"{manifest.rows['relation']:,}")
        return True

    async def keep_looking(self, seconds: float) -> None:
        """Look every `seconds`, in a thread of its own, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.look)
            except OSError as error:
                log.error("the releases cannot be looked at: %s", error)
