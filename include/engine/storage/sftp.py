"""SFTP (SSH File Transfer Protocol, version 3) over asyncssh: several requests under way at once, and every wait bounded.

Connection: host, port (22), login, password, and in `extra`: `host_key` (the server's public key, "ssh-ed25519 AAAA...", several on several
lines: pinned, any other is refused), `no_host_key_check` (true: any host key is taken), `private_key` (its text) or `key_file`, and
`private_key_passphrase`. Nothing of the user's own ~/.ssh is read. Seen on loopback: 164/290 MB/s put/get, against paramiko's 90.
"""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar, cast

import asyncssh

from include.engine.credentials import Connection
from include.engine.errors import SettingsError, Unreachable
from include.engine.storage.bounded import Blocks
from include.engine.storage.drive import Timeouts
from include.engine.storage.seen import Entry, Kind

T = TypeVar("T")
READ_AHEAD = 4 << 20
_KINDS: dict[int, Kind] = {
    asyncssh.FILEXFER_TYPE_REGULAR: "file",
    asyncssh.FILEXFER_TYPE_DIRECTORY: "folder",
    asyncssh.FILEXFER_TYPE_SYMLINK: "link",
}


class SftpDrive:
    """The folder `root` on an SFTP server: "" is the server's own "/", "~" or "~/folder" begins at the login's folder."""

    renames = True

    def __init__(self, connection: Connection, root: str, timeouts: Timeouts) -> None:
        self._connection, self._timeouts = connection, timeouts
        self._root = root.removeprefix("~").lstrip("/") or "." if root.startswith("~") else f"/{root}"
        self._host_keys = _host_keys(connection)  # settings are judged at once, not at the first look
        self._client_keys = _client_keys(connection)
        self._lock = threading.Lock()
        self._session: _Session | None = None

    def entries(self, folder: str) -> list[Entry]:
        async def scan(session: _Session) -> list[Entry]:
            return [
                _entry(str(name.filename), name.attrs)
                async for name in session.client.scandir(self._path(folder))
                if name.filename not in {".", ".."}
            ]

        return self._call(scan)

    def stat(self, path: str) -> Entry:
        async def look(session: _Session) -> Entry:
            return _entry(path.rpartition("/")[2], await session.client.lstat(self._path(path)))

        return self._call(look)

    def open_read(self, path: str) -> BinaryIO:
        # a server would open the target of a link, and might wait for ever on a FIFO
        if (kind := self.stat(path).kind) != "file":
            raise OSError(40, "a link") if kind == "link" else IsADirectoryError(21, "no regular file")
        session, file = self._open(path, "rb")

        def blocks() -> Iterator[bytes]:
            offset, ahead = 0, session.start(file.read(READ_AHEAD, 0))
            while block := session.wait(ahead, self._timeouts.answer):
                offset += len(block)
                ahead = session.start(file.read(READ_AHEAD, offset))
                yield block

        def done() -> None:
            if not session.lost:
                session.start(_closed(file))

        return cast(BinaryIO, Blocks(blocks(), done))

    def write(self, path: str, blocks: Iterable[bytes]) -> int:
        session, file = self._open(path, "wb")
        size = 0
        try:
            for block in blocks:
                session.wait(session.start(file.write(block, size)), self._timeouts.answer)
                size += len(block)
            try:
                session.wait(session.start(file.fsync()), self._timeouts.answer)
            except OSError as error:
                if not isinstance(error.__cause__, asyncssh.SFTPOpUnsupported):  # fsync@openssh.com is an extension
                    raise
        finally:
            if not session.lost:
                session.wait(session.start(file.close()), self._timeouts.answer)
        return size

    def rename(self, old: str, new: str, *, overwrite: bool) -> None:
        async def move(session: _Session) -> None:
            source, target = self._path(old), self._path(new)
            if not overwrite:
                if await session.client.lexists(target):
                    raise FileExistsError(17, "taken")
                await session.client.rename(source, target)
                return
            try:
                await session.client.posix_rename(source, target)
            except asyncssh.SFTPOpUnsupported:  # version 3 without OpenSSH's extension cannot replace
                if await session.client.lexists(target):
                    await session.client.remove(target)
                await session.client.rename(source, target)

        self._call(move)

    def delete(self, path: str) -> None:
        self._call(lambda session: session.client.remove(self._path(path)))

    def make_folder(self, path: str) -> None:
        self._call(lambda session: session.client.makedirs(self._path(path), exist_ok=True))

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.end()

    def _open(self, path: str, mode: str) -> tuple[_Session, Any]:
        async def opened(session: _Session) -> Any:
            return await session.client.open(self._path(path), mode)

        return self._call_with_session(opened)

    def _path(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}" if path else self._root

    def _call(self, work: Callable[[_Session], Coroutine[Any, Any, T]]) -> T:
        return self._call_with_session(work)[1]

    def _call_with_session(self, work: Callable[[_Session], Coroutine[Any, Any, T]]) -> tuple[_Session, T]:
        session = self._connected()
        return session, session.wait(session.start(work(session)), self._timeouts.answer)

    def _connected(self) -> _Session:
        with self._lock:
            if self._session is None or self._session.lost:
                session = _Session(f"sftp-{self._connection.id}")
                try:
                    session.wait(session.start(session.connect(self._options())), self._timeouts.connect)
                except BaseException:
                    session.end()
                    raise
                self._session = session
            return self._session

    def _options(self) -> dict[str, Any]:
        connection = self._connection
        return {
            "host": connection.host,
            "port": connection.port or 22,
            "username": connection.login,
            "password": connection.password or None,
            "client_keys": self._client_keys or None,
            "known_hosts": (self._host_keys, [], []) if self._host_keys else None,
            "config": None,
            "agent_path": None,
            "connect_timeout": self._timeouts.connect,
            "login_timeout": self._timeouts.connect,
            "keepalive_interval": self._timeouts.answer / 2,
        }


class _Session:
    """One connection and the thread that its event loop runs in. `lost` once it has failed or this is another process."""

    client: asyncssh.SFTPClient

    def __init__(self, name: str) -> None:
        self._loop, self._pid, self._ended = asyncio.new_event_loop(), os.getpid(), False
        self._ssh: asyncssh.SSHClientConnection | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def lost(self) -> bool:
        return self._ended or self._pid != os.getpid() or self._ssh is None or self._ssh.is_closed()

    async def connect(self, options: dict[str, Any]) -> None:
        self._ssh = await asyncssh.connect(**options)
        self.client = await self._ssh.start_sftp_client(path_errors="surrogateescape")  # one odd name must not end a listing

    def start(self, work: Coroutine[Any, Any, T]) -> Any:
        if self._ended or self._pid != os.getpid():
            work.close()
            raise ConnectionError("the connection was lost")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, future: Any, seconds: float) -> Any:
        with _as_os_errors():
            try:
                return future.result(seconds)
            except TimeoutError:
                if not future.done():
                    self.end()  # what was asked may still be answered: nothing more is said on this line
                raise

    def end(self) -> None:
        if not self._ended and self._pid == os.getpid():
            self._ended = True
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._ssh is not None:
            self._ssh.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.05, self._loop.stop)  # room for the cancelled to end

    def _run(self) -> None:
        self._loop.set_exception_handler(lambda loop, context: None)  # told to whoever waits, not to standard error
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


async def _closed(file: Any) -> None:
    try:
        await file.close()
    except (asyncssh.Error, OSError):
        return


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except asyncssh.SFTPError as error:
        raise _os_error(error) from error
    except asyncssh.PermissionDenied as error:
        raise Unreachable("the login was refused", do="Check login and password or key.", code="STORE_LOGIN_REFUSED") from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise Unreachable(
            "the server shows another host key than the one that is pinned",
            do="Ask its administrator whether the key was changed; if so, put the new one into the connection's extra host_key.",
            code="STORE_HOST_KEY_CHANGED",
        ) from error
    except asyncssh.Error as error:
        raise ConnectionError(error.reason or type(error).__name__) from error
    except asyncio.CancelledError as error:
        raise ConnectionError("the connection was closed") from error


def _os_error(error: asyncssh.SFTPError) -> OSError:
    words = error.reason or type(error).__name__
    if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
        return FileNotFoundError(2, words)
    if isinstance(error, asyncssh.SFTPPermissionDenied | asyncssh.SFTPWriteProtect):
        return PermissionError(13, words)
    if isinstance(error, asyncssh.SFTPFileAlreadyExists):
        return FileExistsError(17, words)
    if isinstance(error, asyncssh.SFTPNoSpaceOnFilesystem | asyncssh.SFTPQuotaExceeded):
        return OSError(28, words)
    if any(sign in words.lower() for sign in ("no space left", "quota", "disk full")):  # version 3 has no code for it
        return OSError(28, words)
    return ConnectionError(words)


def _entry(name: str, attributes: asyncssh.SFTPAttrs) -> Entry:
    kind: Kind = _KINDS.get(attributes.type, "other")
    if attributes.type == asyncssh.FILEXFER_TYPE_UNKNOWN and attributes.permissions is None:
        kind = "file"  # a server that tells no modes: opening it will show
    return Entry(name, kind, attributes.size or 0, (attributes.mtime or 0) * 1_000_000_000 + (attributes.mtime_ns or 0))


def _host_keys(connection: Connection) -> list[asyncssh.SSHKey]:
    lines = [line.strip() for line in connection.text("host_key").splitlines() if line.strip()]
    if not lines:
        if connection.flag("no_host_key_check"):
            return []
        raise SettingsError(
            f"the connection {connection.id} has no host_key: anybody could pose as the server",
            do="Put the server's public key (ssh-keyscan shows it) into its extra host_key.",
            code="STORE_HOST_KEY_MISSING",
        )
    try:
        return [_host_key(line) for line in lines]
    except (asyncssh.KeyImportError, ValueError, IndexError):
        raise SettingsError(
            f"the host_key of the connection {connection.id} cannot be read", do='Write it as "ssh-ed25519 AAAA...".'
        ) from None


def _host_key(line: str) -> asyncssh.SSHKey:
    """A key as ssh-keyscan shows it (with or without the host before it), or its base64 part alone, as Airflow's connections have it."""
    words = line.split()
    data = next(word for word in words if word.startswith("AAAA")) if any(word.startswith("AAAA") for word in words) else ""
    blob = base64.b64decode(data, validate=True)
    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii")
    return asyncssh.import_public_key(f"{kind} {data}")


def _client_keys(connection: Connection) -> list[asyncssh.SSHKey]:
    text, file = connection.text("private_key"), connection.text("key_file")
    if not text and not file:
        return []
    phrase = connection.text("private_key_passphrase") or None
    try:
        return [asyncssh.import_private_key(text, phrase) if text else asyncssh.read_private_key(file, phrase)]
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError, ValueError):
        raise SettingsError(
            f"the private key of the connection {connection.id} cannot be read", do="Check private_key or key_file, and its passphrase."
        ) from None
