"""FTP, FTPS and S3, through fsspec's file systems.

FTP connection: host, port (21), login, password, `extra.tls` (true: explicit FTPS, TLS 1.2 or newer).
S3 connection: login and password are the access key and its secret (none: those of the machine's own role), `extra.endpoint_url` for
another provider, `extra.region_name`. S3 has no rename: a write appears whole by itself, and a rename is a copy and a removal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from ftplib import all_errors, error_perm
from typing import Any, BinaryIO, TypeVar, cast

from include.engine.credentials import Connection
from include.engine.errors import Unreachable
from include.engine.storage.bounded import Blocks, Bounded
from include.engine.storage.drive import BLOCK, Timeouts
from include.engine.storage.seen import Entry

T = TypeVar("T")


class FsspecDrive:
    """The folder `root` on what `make` opens (an fsspec file system, made in the thread that uses it)."""

    def __init__(self, name: str, make: Callable[[], Any], root: str, timeouts: Timeouts, *, renames: bool) -> None:
        self.renames = renames
        self._make, self._root, self._timeouts = make, root, timeouts
        self._worker = Bounded(name, lambda: None)
        self._made: Any = None
        self._generation = 0

    def entries(self, folder: str) -> list[Entry]:
        def scan() -> list[Entry]:
            found = self._files().ls(self._path(folder), detail=True, refresh=True)
            own = self._path(folder).strip("/")
            return [_entry(info) for info in found if info["name"].strip("/") != own]

        try:
            return self._call(scan)
        except FileNotFoundError:
            if self.renames:
                raise
            return []  # in object storage an empty folder is no folder

    def stat(self, path: str) -> Entry:
        return _entry(self._call(lambda: self._fresh().info(self._path(path))))

    def open_read(self, path: str) -> BinaryIO:
        if self.stat(path).kind != "file":
            raise IsADirectoryError(21, "no regular file")
        if not self.renames:  # object storage reads ranges: at any place, as sealed files need
            return cast(BinaryIO, self._call(lambda: self._fresh().open(self._path(path), "rb", block_size=4 << 20)))
        file = self._call(lambda: self._fresh().open(self._path(path), "rb", block_size=4 << 20, cache_type="readahead"))

        def blocks() -> Iterator[bytes]:
            while block := self._call(lambda: file.read(BLOCK)):
                yield block

        return cast(BinaryIO, Blocks(blocks(), file.close))

    def write(self, path: str, blocks: Iterable[bytes]) -> int:
        size = 0
        file = self._call(lambda: self._fresh().open(self._path(path), "wb"))
        try:
            for block in blocks:
                self._call(lambda block=block: file.write(block))  # type: ignore[misc]
                size += len(block)
        except BaseException:
            if hasattr(file, "discard"):
                self._call(file.discard)
            raise
        self._call(file.close)
        return size

    def rename(self, old: str, new: str, *, overwrite: bool) -> None:
        def move() -> None:
            files = self._fresh()
            if files.exists(self._path(new)):
                if not overwrite:
                    raise FileExistsError(17, "taken")
                if self.renames:
                    files.rm_file(self._path(new))
            files.mv(self._path(old), self._path(new))

        self._call(move)

    def delete(self, path: str) -> None:
        self._call(lambda: self._fresh().rm_file(self._path(path)))

    def make_folder(self, path: str) -> None:
        if self.renames:
            self._call(lambda: self._fresh().makedirs(self._path(path), exist_ok=True))

    def close(self) -> None:
        self._made = None
        self._worker.close()

    def _path(self, path: str) -> str:
        whole = f"{self._root}/{path}".strip("/")
        return f"/{whole}" if self.renames else whole

    def _files(self) -> Any:
        if self._made is None or self._generation != self._worker.generation:
            self._made, self._generation = self._make(), self._worker.generation
        return self._made

    def _fresh(self) -> Any:
        files = self._files()
        files.invalidate_cache()
        return files

    def _call(self, work: Callable[[], T]) -> T:
        with _as_os_errors():
            return self._worker.call(work, self._timeouts.answer + self._timeouts.connect)


def ftp_drive(connection: Connection, root: str, timeouts: Timeouts) -> FsspecDrive:
    """The folder `root` on an FTP server."""

    def make() -> Any:
        from fsspec.implementations.ftp import FTPFileSystem

        return FTPFileSystem(
            connection.host,
            port=connection.port or 21,
            username=connection.login or None,
            password=connection.password or None,
            timeout=timeouts.answer,
            tls=connection.flag("tls"),
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    return FsspecDrive(f"ftp-{connection.id}", make, root, timeouts, renames=True)


def s3_drive(connection: Connection, root: str, timeouts: Timeouts) -> FsspecDrive:
    """The prefix `root` ("bucket/prefix") in object storage."""

    def make() -> Any:
        from s3fs import S3FileSystem

        return S3FileSystem(
            key=connection.login or None,
            secret=connection.password or None,
            endpoint_url=connection.text("endpoint_url") or None,
            client_kwargs={"region_name": connection.text("region_name")} if connection.text("region_name") else {},
            config_kwargs={"connect_timeout": timeouts.connect, "read_timeout": timeouts.answer, "retries": {"max_attempts": 2}},
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    return FsspecDrive(f"s3-{connection.id}", make, root, timeouts, renames=False)


def _entry(info: dict[str, Any]) -> Entry:
    when = info.get("LastModified") or info.get("modify") or info.get("mtime") or 0
    if isinstance(when, str):  # MLSD (RFC 3659, 7.5.3): YYYYMMDDHHMMSS, in UTC
        when = datetime.strptime(f"{when[:14]}+0000", "%Y%m%d%H%M%S%z")
    seconds = when.timestamp() if isinstance(when, datetime) else float(when)
    kind = "folder" if info.get("type") == "directory" else "link" if info.get("type") == "link" else "file"
    return Entry(info["name"].rstrip("/").rpartition("/")[2], kind, int(info.get("size") or 0), round(seconds * 1_000_000) * 1000)  # type: ignore[arg-type]


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except error_perm as error:  # RFC 959, 4.2: 550 no such file or no access, 552 and 452 no room, 530 not logged in
        words = str(error)
        if words.startswith("550"):
            missing = "no such" in words.lower() or "not found" in words.lower()
            raise (FileNotFoundError(2, words) if missing else PermissionError(13, words)) from error
        if words.startswith(("530", "532")):
            raise Unreachable("the login was refused", do="Check login and password.", code="STORE_LOGIN_REFUSED") from error
        if words.startswith("552"):
            raise OSError(28, words) from error
        raise ConnectionError(words) from error
    except OSError:
        raise
    except UnicodeDecodeError as error:
        raise ConnectionError("the server's names are not UTF-8") from error
    except all_errors as error:
        raise ConnectionError(str(error)) from error
    except Exception as error:  # botocore has a family of its own, and is not imported for an FTP server's sake
        if type(error).__module__.split(".")[0] in {"botocore", "aiobotocore", "aiohttp"}:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        raise
