"""A folder on this machine, or one that is mounted on it."""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from include.engine.storage.seen import Entry, Kind


@dataclass(frozen=True)
class LocalDrive:
    """The folder `root`. A path whose folder leads out of it, through a link, is refused."""

    root: Path
    renames: bool = True

    def entries(self, folder: str) -> Iterator[Entry]:
        with os.scandir(self.root / folder) as found:
            for entry in found:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # gone since the folder was read
                    continue
                yield Entry(entry.name, _kind(status.st_mode), status.st_size, status.st_mtime_ns)

    def stat(self, path: str) -> Entry:
        status = os.lstat(self._inside(path))
        return Entry(path.rpartition("/")[2], _kind(status.st_mode), status.st_size, status.st_mtime_ns)

    def open_read(self, path: str) -> BinaryIO:
        # O_NONBLOCK: opening a FIFO would wait for a writer; O_NOFOLLOW: a link may lead anywhere
        descriptor = os.open(self._inside(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not modes.S_ISREG(os.fstat(descriptor).st_mode):
                raise IsADirectoryError(errno.EISDIR, "no regular file")
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise

    def write(self, path: str, blocks: Iterable[bytes]) -> int:
        size = 0
        descriptor = os.open(self._inside(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for block in blocks:
                view = memoryview(block)
                while view:
                    written = file.write(view)
                    size, view = size + written, view[written:]
            os.fsync(file.fileno())
        return size

    def rename(self, old: str, new: str, *, overwrite: bool) -> None:
        source, target = self._inside(old), self._inside(new)
        if not overwrite and os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "taken")
        source.replace(target)
        for folder in {source.parent, target.parent}:
            _sync(folder)

    def delete(self, path: str) -> None:
        self._inside(path).unlink()

    def make_folder(self, path: str) -> None:
        (self._inside(path) if path else self.root).mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Nothing is held."""

    def _inside(self, path: str) -> Path:
        target = self.root / path
        parent = os.path.realpath(target.parent)
        root = os.path.realpath(self.root)
        if parent != root and not parent.startswith(root.rstrip("/") + "/"):
            raise OSError(errno.ELOOP, "leads out of the folder")
        return target


def _kind(mode: int) -> Kind:
    if modes.S_ISREG(mode):
        return "file"
    if modes.S_ISDIR(mode):
        return "folder"
    return "link" if modes.S_ISLNK(mode) else "other"


def _sync(folder: Path) -> None:
    """Make a rename last: the folder itself is written to disk (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network mounts cannot sync a folder
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)
