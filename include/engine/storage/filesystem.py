"""A store: one folder at a URI, on any storage system, with the few verbs that an inbox, an outbox or a landing area needs.

Writing is always whole or not at all: under a temporary name, verified, then renamed.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from include.engine.credentials import Credentials, EnvironmentCredentials
from include.engine.errors import Refused, Unreachable
from include.engine.storage.bounded import blocks_of
from include.engine.storage.drive import Drive, Timeouts, told
from include.engine.storage.local import LocalDrive
from include.engine.storage.seen import OUR_FOLDERS, Entry, Seen, is_temporary, judge, matches, shown
from include.engine.storage.uri import Location, parse


@dataclass(frozen=True)
class Store:
    """A folder and how to reach it. Paths are relative to it and never lead out of it. Usable in a `with` block, which closes connections.

    Errors: Refused (the file is gone, a link, unsafe), Unreachable (the server, a time-out, no permission, a full disk: a retry may help).
    """

    location: Location
    drive: Drive

    def list(self, glob: str | None = None, recursive: bool = False) -> list[Seen]:
        """The files, sorted by path, without temporary names, hidden ones and our own folders; what can never be taken in is `refused`.

        Unreachable INBOX_MISSING when the folder itself is not there.
        """
        found: list[Seen] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            prefix = f"{folder}/" if folder else ""
            with told(str(self.location), folder):
                for entry in self._entries(folder):
                    name = entry.name
                    if entry.kind == "folder":
                        if recursive and not name.startswith(".") and (folder or name not in OUR_FOLDERS):
                            folders.append(prefix + name)
                    elif not is_temporary(name) and (glob is None or matches(name, glob)):
                        found.append(judge(entry, prefix + name))
        found.sort()
        return found

    def open_read(self, path: str) -> BinaryIO:
        """The file's bytes as a stream; to be closed. Errors while reading are of the family too."""
        with told(str(self.location), path):
            return _Told(self.drive.open_read(_inside(path)), str(self.location), path)

    def put(self, path: str, source: BinaryIO | bytes | Iterable[bytes]) -> int:
        """Write a file whole: under a temporary name, its size verified, then renamed over what was there. Returns its length in bytes."""
        blocks = _blocks(source)
        folder, _, name = _inside(path).rpartition("/")
        prefix = f"{folder}/" if folder else ""
        with told(str(self.location), path, writing=True):
            if folder:
                self.drive.make_folder(folder)
            if not self.drive.renames:
                return self.put_as_is(path, blocks)
            temporary = f"{prefix}.{secrets.token_hex(6)}.part"
            try:
                size = self.put_as_is(temporary, blocks)
                self.drive.rename(temporary, prefix + name, overwrite=True)
            except BaseException:
                self.forget(temporary)
                raise
            return size

    def put_as_is(self, path: str, blocks: Iterable[bytes]) -> int:
        """Write a file under the very name, its size verified; for one whose final name is known only at its end. Use `put` else."""
        with told(str(self.location), path, writing=True):
            size = self.drive.write(_inside(path), blocks)
            self._verify(path, size)
            return size

    def rename(self, old: str, new: str, *, overwrite: bool = False) -> None:
        """Another name, in another folder of this store if it says so. Unreachable FILE_NAME_TAKEN if it is there, unless `overwrite`."""
        old, new = _inside(old), _inside(new)
        with told(str(self.location), old, writing=True):
            if "/" in new:
                self.drive.make_folder(new.rpartition("/")[0])
            self.drive.rename(old, new, overwrite=overwrite)

    def delete(self, path: str) -> None:
        """Remove a file; one that is gone already is no error."""
        with told(str(self.location), path, writing=True):
            try:
                self.drive.delete(_inside(path))
            except FileNotFoundError:
                return

    def exists(self, path: str) -> bool:
        """Whether something has that name."""
        with told(str(self.location), path):
            try:
                self.drive.stat(_inside(path))
            except FileNotFoundError:
                return False
            return True

    def stat(self, path: str) -> Seen:
        """One file as `list` would show it. Refused FILE_GONE."""
        with told(str(self.location), path):
            return judge(self.drive.stat(_inside(path)), path)

    def uri(self, path: str) -> str:
        """The URI of a file of this store."""
        return str(self.location.child(_inside(path)))

    def close(self) -> None:
        """Let go of connections; the store may still be used, and then connects anew."""
        self.drive.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _entries(self, folder: str) -> Iterable[Entry]:
        try:
            return list(self.drive.entries(folder))
        except (FileNotFoundError, NotADirectoryError):
            if folder:  # a folder that went while we looked
                return []
            raise Unreachable(
                "the folder is not there", do="Create it, or correct the URI in the settings.", code="INBOX_MISSING"
            ) from None

    def _verify(self, path: str, size: int) -> None:
        there = self.drive.stat(path).size
        if there != size:
            raise Unreachable(f"{size} bytes were written, {there} are there", do="We try again by ourselves.", code="STORE_WRITE_SHORT")

    def forget(self, temporary: str) -> None:
        """Take a half-written file away, if the storage still answers; never raises."""
        try:
            self.drive.delete(temporary)
        except Exception:  # the error that brought us here is the one to tell of
            return


def open_store(
    uri: str | Location, credentials: Credentials | None = None, home: Path | None = None, *, timeouts: Timeouts | None = None
) -> Store:
    """The store at `uri`. Connects at its first use. SettingsError for a URI, MissingCredential for a connection that is not set up."""
    location = uri if isinstance(uri, Location) else parse(uri)
    if location.scheme == "file":
        return Store(location, LocalDrive(location.local(home)))
    connection = (credentials or EnvironmentCredentials()).get(location.connection)
    limits = timeouts or Timeouts()
    drive: Drive
    if location.scheme == "sftp":  # imported when needed: a process that only reads local folders starts faster
        from include.engine.storage.sftp import SftpDrive

        drive = SftpDrive(connection, location.path, limits)
    elif location.scheme == "smb":
        from include.engine.storage.smb import SmbDrive

        drive = SmbDrive(connection, location.path, limits)
    else:
        from include.engine.storage.fsspec_drive import ftp_drive, s3_drive

        drive = (ftp_drive if location.scheme == "ftp" else s3_drive)(connection, location.path, limits)
    return Store(location, drive)


class _Told(io.BufferedReader):
    """A stream whose errors are told as the store's are."""

    def __init__(self, stream: BinaryIO, where: str, path: str) -> None:
        super().__init__(_ToldRaw(stream, where, path), 1 << 18)


class _ToldRaw(io.RawIOBase):
    def __init__(self, stream: BinaryIO, where: str, path: str) -> None:
        super().__init__()
        self._stream, self._where, self._path = stream, where, path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with told(self._where, self._path):
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer, /) -> int:  # type: ignore[no-untyped-def]
        with told(self._where, self._path):
            return self._stream.readinto(buffer)  # type: ignore[attr-defined, no-any-return]

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            super().close()


def _blocks(source: BinaryIO | bytes | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(source, bytes | bytearray | memoryview):
        return iter([bytes(source)])
    return blocks_of(source) if hasattr(source, "read") else iter(source)


def _inside(path: str) -> str:
    """The path if it stays inside the store; else Refused FILE_NAME_UNSAFE. (A name with a line break is refused as well.)"""
    parts = path.split("/")
    if not path or "" in parts or "." in parts or ".." in parts or re.search(r"[\x00-\x1f\x7f\\]", path):
        raise Refused(f"{shown(path)!r} is not a plain path", do="Use another name.", code="FILE_NAME_UNSAFE")
    return path
