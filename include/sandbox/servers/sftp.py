"""An SFTP server over asyncssh: a folder, one login, and the faults that real servers have."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import asyncssh

from include.sandbox.servers.ports import HOST, PASSWORD

FAULTS = ("hang_login", "hang_list", "hang_read", "drop_read", "read_only", "disk_full", "no_posix_rename")


@dataclass
class SftpServer:
    """A running server. `faults` may be changed while it runs: any of FAULTS."""

    folder: Path
    port: int
    host_key: str
    login: str
    password: str
    host: str = HOST
    faults: set[str] = field(default_factory=set)

    @property
    def connection_uri(self) -> str:
        """As Airflow reads it from AIRFLOW_CONN_<ID>."""
        return (
            f"sftp://{quote(self.login)}:{quote(self.password, safe='')}@{self.host}:{self.port}/?{urlencode({'host_key': self.host_key})}"
        )


@contextmanager
def sftp_server(
    folder: Path, *, login: str = "bindery", password: str = PASSWORD, port: int = 0, faults: set[str] | None = None
) -> Iterator[SftpServer]:
    """Serve `folder` (the login sees it as "/") until the block ends; port 0 takes a free one. Runs in a thread of this process."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    server = SftpServer(folder, port, host_key.export_public_key().decode().strip(), login, password, faults=set(faults or ()))
    loop, ready = asyncio.new_event_loop(), threading.Event()
    failure: list[BaseException] = []
    connections: set[asyncssh.SSHServerConnection] = set()

    class Gatekeeper(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.add(conn)
            self._conn = conn

        def connection_lost(self, exc: Exception | None) -> None:
            connections.discard(self._conn)

        def password_auth_supported(self) -> bool:
            return True

        async def validate_password(self, username: str, password: str) -> bool:
            if "hang_login" in server.faults:
                await asyncio.Event().wait()
            return (username, password) == (server.login, server.password)

    async def start() -> None:
        listening = await asyncssh.listen(
            HOST,
            port,
            server_factory=Gatekeeper,
            server_host_keys=[host_key],
            sftp_factory=lambda channel: _Folder(channel, server),
        )
        server.port = listening.get_port()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda loop, context: None)
        try:
            loop.run_until_complete(start())
        except BaseException as error:
            failure.append(error)
            return
        finally:
            ready.set()
        loop.run_forever()
        loop.close()

    def stop() -> None:
        for connection in list(connections):
            connection.abort()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.call_later(0.05, loop.stop)

    thread = threading.Thread(target=run, name="sandbox-sftp", daemon=True)
    thread.start()
    ready.wait(60)
    if failure:
        raise failure[0]
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop)
        thread.join(5)


class _Folder(asyncssh.SFTPServer):
    """The folder as its root, with the faults that are set."""

    def __init__(self, channel: Any, server: SftpServer) -> None:
        super().__init__(channel, chroot=str(server.folder).encode())
        self._server = server

    def _has(self, fault: str) -> bool:
        return fault in self._server.faults

    def _refuse_writes(self) -> None:
        if self._has("read_only"):
            raise asyncssh.SFTPPermissionDenied("Permission denied")

    async def scandir(self, path: bytes) -> Any:
        if self._has("hang_list"):
            await asyncio.Event().wait()
        async for name in super().scandir(path):
            yield name

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        if pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_APPEND):
            self._refuse_writes()
        return super().open(path, pflags, attrs)

    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        if self._has("hang_read") and offset > 0:
            await asyncio.Event().wait()
        if self._has("drop_read") and offset > 0:
            raise asyncssh.SFTPConnectionLost("dropped")
        return bytes(super().read(file_obj, offset, size))  # type: ignore[arg-type]

    def write(self, file_obj: Any, offset: int, data: bytes) -> Any:
        if self._has("disk_full"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(file_obj, offset, data)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._refuse_writes()
        return super().rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._refuse_writes()
        if self._has("no_posix_rename"):
            raise asyncssh.SFTPOpUnsupported("not supported")
        return super().posix_rename(oldpath, newpath)

    def remove(self, path: bytes) -> Any:
        self._refuse_writes()
        return super().remove(path)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        self._refuse_writes()
        return super().mkdir(path, attrs)
