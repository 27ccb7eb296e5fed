"""FTP, FTPS and S3, through fsspec's file systems.

FTP connection: host, port (21), login, password, `extra.tls` (true: explicit FTPS, TLS 1.2 or newer; the server has to show a certificate in
its name, by an authority that this machine trusts or, alone, by the one in `extra.ca`, PEM; `extra.no_certificate_check`: any will do).
S3 connection: login and password are the access key and its secret (none: those of the machine's own role), `extra.endpoint_url` for
another provider, `extra.region_name`. S3 has no rename: a write appears whole by itself, and a rename is a copy and a removal.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ftplib import FTP_TLS, all_errors, error_perm
from typing import Any, BinaryIO, TypeVar, cast

from include.engine import clock
from include.engine.credentials import Connection
from include.engine.errors import SettingsError, Unreachable
from include.engine.storage.bounded import Blocks, Bounded
from include.engine.storage.drive import BLOCK, Timeouts
from include.engine.storage.seen import Entry

T = TypeVar("T")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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

    context = _trusted(connection) if connection.flag("tls") else None  # settings are judged at once, not at the first look

    def make() -> Any:
        from fsspec.implementations.ftp import FTPFileSystem

        class Verified(FTPFileSystem):  # type: ignore[misc]
            """fsspec's own takes any certificate."""

            def _connect(self) -> None:
                self.ftp = FTP_TLS(timeout=self.timeout, encoding=self.encoding, context=context)  # noqa: S321  what the partner has
                self.ftp.connect(self.host, self.port)
                self.ftp.login(*self.cred)

        return (FTPFileSystem if context is None else Verified)(
            connection.host,
            port=connection.port or 21,
            username=connection.login or None,
            password=connection.password or None,
            timeout=timeouts.answer,
            tls=context is not None,
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    return FsspecDrive(f"ftp-{connection.id}", make, root, timeouts, renames=True)


def _trusted(connection: Connection) -> ssl.SSLContext:
    """What the server has to prove before it is told a login."""
    try:
        context = ssl.create_default_context(cadata=connection.text("ca") or None)
    except (ssl.SSLError, ValueError):
        raise SettingsError(
            f"the ca of the connection {connection.id} cannot be read", do='Write it as "-----BEGIN CERTIFICATE-----...".'
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if connection.flag("no_certificate_check"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


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
    if isinstance(when, str):
        when = _moment(when)
    seconds = when.timestamp() if isinstance(when, datetime) else float(when)
    link = info.get("type") == "link" or str(info.get("unix.mode", "")).startswith("l")
    kind = "link" if link else "folder" if info.get("type") == "directory" else "file"
    return Entry(info["name"].rstrip("/").rpartition("/")[2], kind, int(info.get("size") or 0), round(seconds * 1_000_000) * 1000)  # type: ignore[arg-type]


def _moment(text: str) -> datetime | int:
    """MLSD's time (RFC 3659, 7.5.3): YYYYMMDDHHMMSS, in UTC. A server that has no MLSD lists as `ls -l` does, in a zone of its own: "Nov 21
    10:12" of the last months, or "Nov 21 2024". It is read as UTC, for what counts is that it stays the same; 0 for what is neither."""
    if re.fullmatch(r"\d{14}(\.\d+)?", text):
        return datetime.strptime(f"{text[:14]}+0000", "%Y%m%d%H%M%S%z")
    found = re.fullmatch(r"(?P<month>[A-Za-z]{3}) +(?P<day>\d{1,2}) +(?:(?P<hour>\d{1,2}):(?P<minute>\d\d)|(?P<year>\d{4}))", text)
    if found is None or found["month"].title() not in _MONTHS:
        return 0
    month, day, now = _MONTHS.index(found["month"].title()) + 1, int(found["day"]), clock.now()
    years = [int(found["year"])] if found["year"] else range(now.year + 1, now.year - 8, -1)
    for year in years:  # the last one in which it is not yet to come; a 29 February is not in every year
        with suppress(ValueError):
            at = datetime(year, month, day, int(found["hour"] or 0), int(found["minute"] or 0), tzinfo=UTC)
            if at <= now + timedelta(days=1):
                return at
    return 0


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
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(
            f"the server's certificate is refused: {error.verify_message}",
            do="Put the certificate of the authority that signed it into the connection's extra ca.",
            code="STORE_HOST_KEY_CHANGED",
        ) from error
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
