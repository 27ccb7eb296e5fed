"""Snapshot folders that appear whole and go whole: what BI feeds and the relations between titles are published as.

A snapshot is made in a folder whose name starts with a dot, and renamed into `snapshots/` when every byte of it is on disk; then
`latest.json` is replaced. Whoever reads `latest.json`, or lists `snapshots/`, sees whole snapshots only, whenever its maker is killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow.parquet as pq

from include.engine.durable import sync_folder, write_whole
from include.engine.errors import Unreachable

_MAKING = ".making-"
_GOING = ".going-"


class Described(Protocol):
    """What every snapshot's manifest says. `path` is the snapshot's folder, relative to the root; `made_at` an ISO moment in UTC."""

    @property
    def snapshot(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def made_at(self) -> str: ...
    def to_json(self) -> bytes: ...


Manifest = TypeVar("Manifest", bound=Described)
Reader = Callable[[Path], Manifest | None]
"""Reads a manifest's file; None when there is none."""


def as_json(manifest: Any) -> bytes:
    """A manifest (a dataclass) as its file holds it."""
    return (json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n").encode()


def read_manifest(kind: Callable[..., Manifest], file: Path) -> Manifest | None:
    """The manifest in `file`, of a kind whose `files` are File; None when there is none."""
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return kind(**{**found, "files": [File(**entry) for entry in found["files"]]})


@dataclass(frozen=True)
class File:
    """One file of a snapshot; `path` is relative to the snapshot's folder. `rows` is None for what is no Parquet."""

    path: str
    rows: int | None
    bytes: int
    sha256: str


@contextmanager
def only_one(root: Path, wait_s: float, *, what: str, code: str) -> Iterator[None]:
    """Hold the root's lock: one snapshot is made at a time. The kernel lets go of it when the process ends, however it ends.

    Errors: Unreachable with reason `code` when another has held it for `wait_s` seconds; `what` names the work.
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
                        f"another {what} has been at work for more than {wait_s:.0f} seconds.",
                        where=str(root.name),
                        do="Wait for it, or end the run that hangs.",
                        code=code,
                    ) from None
                time.sleep(0.2)
        yield


@contextmanager
def making(root: Path) -> Iterator[Path]:
    """A folder to make a snapshot in, gone afterwards. Call under `only_one`: what a killed maker left goes first."""
    for left in [*root.glob(f"{_MAKING}*"), *root.glob(f"{_GOING}*")]:
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_MAKING, dir=root))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def appear(root: Path, folder: Path, manifest: Described) -> Path:
    """Put the made folder in its place and point `latest.json` at it. Every file but the manifest is on disk already (`files_in`)."""
    write_whole(folder / "manifest.json", manifest.to_json())
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        sync_folder(path)
    sync_folder(folder)
    place = root / manifest.path
    place.parent.mkdir(exist_ok=True)
    folder.rename(place)
    sync_folder(place.parent)
    write_whole(root / "latest.json", manifest.to_json())
    return place


def latest(root: Path, read: Reader[Manifest]) -> Manifest | None:
    """The manifest that readers are pointed at; None before the first snapshot, or when its folder is not there."""
    manifest = read(root / "latest.json")
    return manifest if manifest is not None and (root / manifest.path).is_dir() else None


def snapshots(root: Path, read: Reader[Manifest]) -> list[Manifest]:
    """All snapshots, oldest first."""
    found = [read(folder / "manifest.json") for folder in (root / "snapshots").glob("*") if not folder.name.startswith(".")]
    return sorted((manifest for manifest in found if manifest is not None), key=lambda manifest: (manifest.made_at, manifest.snapshot))


def prune(root: Path, read: Reader[Manifest], *, keep: int, keep_days: int, now: datetime) -> list[str]:
    """Remove all but the newest `keep` snapshots, and those older than `keep_days`; never the one in `latest.json`. Returns their names."""
    current = latest(root, read)
    oldest = (now - timedelta(days=keep_days)).isoformat(timespec="seconds")
    every = snapshots(root, read)
    surplus = every[: max(0, len(every) - max(1, keep))] + [manifest for manifest in every if manifest.made_at < oldest]
    names = sorted({manifest.snapshot for manifest in surplus} - ({current.snapshot} if current else set()))
    for name in names:
        going = root / f"{_GOING}{name}"
        (root / "snapshots" / name).rename(going)
        shutil.rmtree(going)
    return names


def files_in(folder: Path) -> list[File]:
    """Every file below `folder`, by path. Each is read once, for its check sum, and is on disk (fsync) when this returns."""
    return [_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]


def differences(folder: Path, files: Sequence[File]) -> list[str]:
    """Every file that is missing, altered or not named; an empty list means the snapshot is as it was made."""
    found: list[str] = []
    for file in files:
        path = folder / file.path
        if not path.is_file():
            found.append(f"{file.path} is missing")
        elif path.stat().st_size != file.bytes or _digest(path) != file.sha256:
            found.append(f"{file.path} is not the file that was made")
    named = {file.path for file in files} | {"manifest.json"}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return found + [f"{path} is not in the manifest" for path in sorted(present - named)]


def _file(folder: Path, path: Path) -> File:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    rows = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None
    return File(path.relative_to(folder).as_posix(), rows, path.stat().st_size, digest)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
