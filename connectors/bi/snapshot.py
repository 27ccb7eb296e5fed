"""The feed's snapshot folders: include/engine/snapshots.py with the feed's own manifest and words."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from connectors.bi.manifest import Manifest, read_manifest
from include.engine import snapshots as engine
from include.engine.durable import write_whole
from include.engine.snapshots import appear, making

__all__ = ["appear", "latest", "making", "only_one", "prune", "snapshots", "write_whole"]


def only_one(root: Path, wait_s: float) -> AbstractContextManager[None]:
    """Hold the feed's lock. Errors: Unreachable BI_FEED_BUSY when another has held it for `wait_s` seconds."""
    return engine.only_one(root, wait_s, what="BI feed", code="BI_FEED_BUSY")


def latest(root: Path) -> Manifest | None:
    """The manifest that analysts are pointed at; None before the first feed, or when its folder is not there."""
    return engine.latest(root, read_manifest)


def snapshots(root: Path) -> list[Manifest]:
    """All snapshots, oldest first."""
    return engine.snapshots(root, read_manifest)


def prune(root: Path, *, keep: int, keep_days: int, now: datetime) -> list[str]:
    """Remove all but the newest `keep` snapshots, and those older than `keep_days`; never the one in `latest.json`. Returns their names."""
    return engine.prune(root, read_manifest, keep=keep, keep_days=keep_days, now=now)
