"""Where something is kept, as one line of text.

    file:inbox/lindeby              a folder under Bindery's home
    file:///var/bindery/lindeby     a folder by its absolute path
    sftp://<connection>/exports     under the root that the server shows; sftp://<connection>/~/exports is under the login's own folder
    smb://<connection>/share/folder
    ftp://<connection>/folder       (ftps: by the connection's extra `tls`)
    s3://<connection>/bucket/prefix

Every scheme but `file:` names a connection and never a host, a login or a password: those are resolved by `credentials.py`. S3 too: so a
bucket at another provider, or a stand-in for tests, is a setting of the connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from include.engine.errors import SettingsError

REMOTE = ("sftp", "smb", "ftp", "s3")
_SHOWN = ", ".join(("file:", *(f"{scheme}://<connection>/..." for scheme in REMOTE)))


@dataclass(frozen=True)
class Location:
    """`path` is what follows the connection: without a leading "/" but for `file:///`; decoded, "/" between its parts, no ".." in it."""

    scheme: str
    connection: str
    path: str

    def __str__(self) -> str:
        if self.scheme == "file":
            return ("file://" if self.path.startswith("/") else "file:") + quote(self.path, safe="/~")
        return f"{self.scheme}://{self.connection}/{quote(self.path, safe='/~')}"

    def child(self, path: str) -> Location:
        """The location of `path` under this one."""
        return Location(self.scheme, self.connection, f"{self.path.rstrip('/')}/{path}" if self.path else path)

    def parent(self) -> tuple[Location, str]:
        """The folder, and the last part of the path."""
        folder, _, name = self.path.rpartition("/")
        return Location(self.scheme, self.connection, folder or ("/" if self.path.startswith("/") else "")), name

    def local(self, home: Path | None) -> Path:
        """The folder on this machine; a relative one needs `home`."""
        if self.path.startswith("/"):
            return Path(self.path)
        if home is None:
            raise SettingsError(f"{self} is relative to Bindery's home, and none is given", do="Set BINDERY_HOME, or write file:///...")
        return home / self.path


def parse(text: str) -> Location:
    """Read a location. SettingsError says what is allowed; it never repeats a login or password that was put into the URI."""
    scheme, found, rest = text.partition(":")
    if not found or scheme not in {"file", *REMOTE}:
        raise SettingsError(f"{_safe(text)!r} is no location", do=f"Write one of {_SHOWN}.")
    if scheme == "file":
        if rest.startswith("//") and not rest.startswith("///"):
            raise SettingsError(f"{_safe(text)!r} names a host", do="Write file:folder (under Bindery's home) or file:///folder.")
        path = unquote(rest[2:] if rest.startswith("//") else rest)
        return Location("file", "", _clean(path, text))
    connection, _, path = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not re.fullmatch(r"[a-z0-9_]+", connection):
        raise SettingsError(
            f"{_safe(text)!r} names no connection",
            do=f"Write {scheme}://<connection>/...: a connection id of a-z, 0-9 and _; host and login belong to the connection.",
        )
    location = Location(scheme, connection, _clean(unquote(path), text).strip("/"))
    if scheme in {"smb", "s3"} and not location.path:
        raise SettingsError(f"{text!r} names no {'share' if scheme == 'smb' else 'bucket'}", do=f"Write {scheme}://{connection}/<name>/...")
    return location


def _clean(path: str, text: str) -> str:
    parts = path.split("/")
    if ".." in parts or re.search(r"[\x00-\x1f\\]", path):
        raise SettingsError(f"{_safe(text)!r} holds '..', a backslash or a control character", do="Write the folder's plain path.")
    kept = "/".join(part for part in parts if part not in {"", "."})
    return f"/{kept}" if path.startswith("/") else kept


def _safe(text: str) -> str:
    """The text without what may be a login and password."""
    return re.sub(r"//[^/]*@", "//...@", text)
