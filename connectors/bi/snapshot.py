"""Snapshot folders that appear whole and go whole.

A snapshot is made in a folder whose name starts with a dot, and renamed into `snapshots/` when every byte of it is on disk; then
`latest.json` is replaced. Whoever reads `latest.json`, or lists `snapshots/`, sees whole snapshots only, whenever a feed is killed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from connectors.bi.manifest import Manifest, read_manifest
from include.engine.errors import Unreachable

_MAKING = ".making-"
_GOING = ".going-"


@contextmanager
def only_one(root: Path, wait_s: float) -> Iterator[None]:
    """Hold the feed's lock: one feed is made at a time. The kernel lets go of it when the process ends, however it ends.

    Errors: Unreachable BI_FEED_BUSY when another has held it for `wait_s` seconds.
    """
    root.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait_s
    with (root / ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Unreachable(
                        f"another BI feed has been at work for more than {wait_s:.0f} seconds.",
                        where=str(root.name),
                        do="Wait for it, or end the run that hangs.",
                        code="BI_FEED_BUSY",
                    ) from None
                time.sleep(0.2)
        yield


@contextmanager
def making(root: Path) -> Iterator[Path]:
    """A folder to make a snapshot in, gone afterwards. Call under `only_one`: what a killed feed left goes first."""
    for left in [*root.glob(f"{_MAKING}*"), *root.glob(f"{_GOING}*")]:
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_MAKING, dir=root))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def appear(root: Path, folder: Path, manifest: Manifest) -> Path:
    """Put the made folder in its place and point `latest.json` at it. Every file but the manifest is on disk already."""
    write_whole(folder / "manifest.json", manifest.to_json())
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _sync_folder(path)
    _sync_folder(folder)
    place = root / manifest.path
    place.parent.mkdir(exist_ok=True)
    folder.rename(place)
    _sync_folder(place.parent)
    write_whole(root / "latest.json", manifest.to_json())
    return place


def write_whole(file: Path, content: bytes) -> None:
    """Replace `file` by `content` in one step: a reader sees the old bytes or the new, never a mixture."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
    _sync_folder(file.parent)


def latest(root: Path) -> Manifest | None:
    """The manifest that analysts are pointed at; None before the first feed, or when its folder is not there."""
    manifest = read_manifest(root / "latest.json")
    return manifest if manifest is not None and (root / manifest.path).is_dir() else None


def snapshots(root: Path) -> list[Manifest]:
    """All snapshots, oldest first."""
    found = [read_manifest(folder / "manifest.json") for folder in (root / "snapshots").glob("*") if not folder.name.startswith(".")]
    return sorted((manifest for manifest in found if manifest is not None), key=lambda manifest: (manifest.made_at, manifest.snapshot))


def prune(root: Path, *, keep: int, keep_days: int, now: datetime) -> list[str]:
    """Remove all but the newest `keep` snapshots, and those older than `keep_days`; never the one in `latest.json`. Returns their names."""
    current = latest(root)
    oldest = (now - timedelta(days=keep_days)).isoformat(timespec="seconds")
    every = snapshots(root)
    surplus = every[: max(0, len(every) - max(1, keep))] + [manifest for manifest in every if manifest.made_at < oldest]
    names = sorted({manifest.snapshot for manifest in surplus} - ({current.snapshot} if current else set()))
    for name in names:
        going = root / f"{_GOING}{name}"
        (root / "snapshots" / name).rename(going)
        shutil.rmtree(going)
    return names


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
