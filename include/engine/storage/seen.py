"""What one look into a folder saw, and which names are not a partner's deliveries."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

OUR_FOLDERS = frozenset({"receipts", "archive"})
TEMPORARY_PREFIXES = (".", "~$")  # hidden files, ours among them, and an office program's lock
TEMPORARY_SUFFIXES = (".part", ".filepart", ".crdownload", ".tmp", ".swp", "~")
OLD = timedelta(days=3650)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")

Kind = Literal["file", "folder", "link", "other"]


class Entry(NamedTuple):
    """One name in a folder as the file system has it; `size` in bytes, `mtime_ns` in nanoseconds since 1970."""

    name: str
    kind: Kind
    size: int
    mtime_ns: int


class Seen(NamedTuple):
    """A file in an inbox. `path` is relative to the inbox, "/" between its parts, spelled as the file system spells it.

    `refused` is the reason code of an entry that can never be taken in: a link, a FIFO, a name with a line break.
    """

    path: str
    size: int
    mtime_ns: int
    refused: str | None = None

    @property
    def name(self) -> str:
        """The file's name in composed form (NFC), for matching and for people."""
        return composed(self.path.rpartition("/")[2])


def composed(name: str) -> str:
    """`name` in Unicode NFC: macOS writes "å" as two characters, everybody else as one."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def is_temporary(name: str) -> bool:
    """Whether a name belongs to a program in the middle of its work, ours included."""
    return name.startswith(TEMPORARY_PREFIXES) or name.lower().endswith(TEMPORARY_SUFFIXES)


def matches(name: str, glob: str) -> bool:
    """Whether the file `name` fits `glob`, in composed form and whatever its case."""
    return fnmatchcase(composed(name).casefold(), composed(glob).casefold())


def judge(entry: Entry, path: str) -> Seen:
    """The entry as a Seen, refused where it can never be taken in. The path of a name that is no text is escaped."""
    refused = None
    if entry.kind == "link":
        refused = "FILE_IS_LINK"
    elif entry.kind == "other":
        refused = "FILE_NOT_REGULAR"
    elif _CONTROL.search(path):
        refused = "FILE_NAME_UNSAFE"
    if not path.isascii():
        try:
            path.encode()
        except UnicodeEncodeError:  # bytes that are no UTF-8: neither the ledger nor a receipt could name it
            path, refused = path.encode("utf-8", "backslashreplace").decode(), "FILE_NAME_UNSAFE"
    return Seen(path, entry.size, entry.mtime_ns, refused)


def refusals(listing: Iterable[Seen]) -> dict[str, str]:
    """The refused entries of a listing: path to reason code."""
    return {seen.path: seen.refused for seen in listing if seen.refused}


def shown(path: str) -> str:
    """`path` for a log or a receipt: line breaks and other control characters made visible."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", path)


def remarks(seen: Seen, now: datetime) -> list[str]:
    """What is odd about a file but no reason not to take it in, as reason codes for the receipt."""
    notes = []
    modified = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=seen.mtime_ns // 1000)
    if modified > now + timedelta(days=1):
        notes.append("FILE_TIME_FUTURE")
    elif modified < now - OLD:
        notes.append("FILE_TIME_OLD")
    if not seen.path.isascii() and unicodedata.normalize("NFC", seen.path) != seen.path:
        notes.append("FILE_NAME_DECOMPOSED")
    return notes
