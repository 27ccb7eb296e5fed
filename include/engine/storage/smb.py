"""SMB 2 and 3 (Windows file shares) over smbprotocol.

Connection: host, port (445), login, password, and in `extra`: `domain`, `encrypt` (true; false lets an old server without SMB 3 encryption
send in the clear). The library keeps its connections in a cache of this drive alone, and its calls run in a thread that is cut off when
an answer does not come: it has no time-outs of its own for most of them.
"""

from __future__ import annotations

import errno
import os
import socket
import stat as modes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, TypeVar, cast

import smbclient
from smbprotocol.exceptions import SMBException, SMBOSError, SMBResponseException

from include.engine.credentials import Connection
from include.engine.errors import Unreachable
from include.engine.storage.bounded import Blocks, Bounded
from include.engine.storage.drive import BLOCK, Timeouts, busy
from include.engine.storage.seen import Entry, Kind

T = TypeVar("T")
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_REPARSE, _DIRECTORY = 0x400, 0x10
_SHARING_VIOLATION, _LOGON = 0xC0000043, {0xC000006D, 0xC000006A, 0xC0000064, 0xC0000071, 0xC0000072, 0xC000006E}
_ERRNO = {
    0xC0000022: errno.EACCES,  # access denied
    0xC00000A2: errno.EROFS,  # media write protected
    0xC000007F: errno.ENOSPC,  # disk full
    0xC0000044: errno.EDQUOT,
    0xC00000CC: errno.ENOENT,  # no such share
    0xC00000BA: errno.EISDIR,
}


class SmbDrive:
    """The folder `root` ("share/folder") on an SMB server."""

    renames = True

    def __init__(self, connection: Connection, root: str, timeouts: Timeouts) -> None:
        self._connection, self._timeouts = connection, timeouts
        self._root = rf"\\{connection.host}\{root.strip('/').replace('/', chr(92))}"
        self._cache: dict[str, Any] = {}
        self._worker = Bounded(f"smb-{connection.id}", self._cut)
        self._generation = 0

    def entries(self, folder: str) -> list[Entry]:
        def scan() -> list[Entry]:
            with smbclient.scandir(self._path(folder), **self._session()) as found:
                return [_entry(entry) for entry in found]

        return self._call(scan)

    def stat(self, path: str) -> Entry:
        def look() -> Entry:
            status = smbclient.lstat(self._path(path), **self._session())
            kind: Kind = "link" if modes.S_ISLNK(status.st_mode) else "folder" if modes.S_ISDIR(status.st_mode) else "file"
            return Entry(path.rpartition("/")[2], kind, status.st_size, status.st_mtime_ns // 1000 * 1000)  # as a listing has it

        return self._call(look)

    def open_read(self, path: str) -> BinaryIO:
        # share_access "r": refused while a writer has the file open, and no writer gets in while we read
        file = self._call(lambda: smbclient.open_file(self._path(path), "rb", buffering=0, share_access="r", **self._session()), path)

        def blocks() -> Iterator[bytes]:
            while block := self._call(lambda: file.read(BLOCK)):
                yield block

        return cast(BinaryIO, Blocks(blocks(), lambda: self._quietly(file.close)))

    def write(self, path: str, blocks: Iterable[bytes]) -> int:
        file = self._call(lambda: smbclient.open_file(self._path(path), "wb", buffering=0, **self._session()), path)
        size = 0
        try:
            for block in blocks:
                view = memoryview(block)
                while view:
                    written = self._call(lambda view=view: file.write(view[:BLOCK]))  # type: ignore[misc]
                    size, view = size + written, view[written:]
            self._call(file.flush)
        finally:
            self._quietly(file.close)
        return size

    def rename(self, old: str, new: str, *, overwrite: bool) -> None:
        move = smbclient.replace if overwrite else smbclient.rename
        self._call(lambda: move(self._path(old), self._path(new), **self._session()), old)

    def delete(self, path: str) -> None:
        self._call(lambda: smbclient.remove(self._path(path), **self._session()), path)

    def make_folder(self, path: str) -> None:
        self._call(lambda: smbclient.makedirs(self._path(path), exist_ok=True, **self._session()))

    def close(self) -> None:
        if self._cache and self._generation == self._worker.generation:
            self._quietly(lambda: smbclient.reset_connection_cache(fail_on_error=False, connection_cache=self._cache))
        self._worker.close()
        self._cache = {}

    def _path(self, path: str) -> str:
        return self._root + "".join(f"\\{part}" for part in path.split("/") if part)

    def _session(self) -> dict[str, Any]:
        """Arguments of every call, the session opened; called in the worker's thread."""
        connection = self._connection
        if self._generation != self._worker.generation:  # another thread or process: its connections are not ours
            self._generation, self._cache = self._worker.generation, {}
        domain = connection.text("domain")
        given = {
            "username": f"{domain}\\{connection.login}" if domain else connection.login,
            "password": connection.password,
            "port": connection.port or 445,
            "encrypt": connection.flag("encrypt", True) or None,
            "connection_timeout": self._timeouts.connect,
            "connection_cache": self._cache,
        }
        try:
            smbclient.register_session(connection.host, **given)
        except ValueError as error:  # how smbprotocol tells that nobody listens
            raise ConnectionError(str(error)) from error
        return given

    def _call(self, work: Callable[[], T], path: str = "") -> T:
        wait = self._timeouts.answer if self._cache else min(self._timeouts.connect * 2, self._timeouts.answer)
        with _as_os_errors(self._connection, path):
            return self._worker.call(work, wait)

    def _quietly(self, work: Callable[[], Any]) -> None:
        try:
            self._worker.call(work, self._timeouts.connect)
        except (OSError, SMBException, ValueError):
            return

    def _cut(self) -> None:
        """Wake whatever waits on the connection's socket. smbprotocol's own close takes a lock that a stuck send holds."""
        cache, self._cache = self._cache, {}
        for connection in cache.values():
            line = connection.transport._sock
            if line is not None:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


@contextmanager
def _as_os_errors(connection: Connection, path: str) -> Iterator[None]:
    try:
        yield
    except (SMBOSError, SMBResponseException) as error:
        status = error.ntstatus if isinstance(error, SMBOSError) else error.status
        if status == _SHARING_VIOLATION:
            raise busy(f"smb connection {connection.id}", path) from error
        if status in _LOGON:
            raise Unreachable("the login was refused", do="Check login, password and domain.", code="STORE_LOGIN_REFUSED") from error
        number = _ERRNO.get(status) or (error.errno if isinstance(error, SMBOSError) else 0)
        if number:
            raise OSError(number, os.strerror(number)) from error
        raise ConnectionError(f"SMB status 0x{status:08X}") from error
    except SMBException as error:
        raise ConnectionError(str(error).partition("\n")[0]) from error


def _entry(entry: Any) -> Entry:
    known = entry.smb_info
    kind: Kind = "link" if known.file_attributes & _REPARSE else "folder" if known.file_attributes & _DIRECTORY else "file"
    written = known.last_write_time  # whole microseconds, and no float on the way: a file must have one time, however it is asked for
    return Entry(entry.name, kind, known.end_of_file, (written.replace(tzinfo=UTC) - _1970) // timedelta(microseconds=1) * 1000)
