"""What a storage system must be able to do, in few enough words that each is easy to add; and how its errors are told.

A drive speaks in paths relative to its root and raises Python's own OSError family (or a BinderyError where it knows better); `told` turns
those into the words a partner's administrator understands. Every call to another machine ends within its time-out.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from include.engine.errors import BinderyError, Refused, Unreachable
from include.engine.storage.seen import Entry, shown

BLOCK = 1 << 20


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to be connected and logged in, and for any one answer after that."""

    connect: float = 10.0
    answer: float = 60.0


class Drive(Protocol):
    """One root folder on one storage system. Safe for several threads; opened anew in a forked process."""

    @property
    def renames(self) -> bool:
        """Whether a temporary name and a rename make a write appear whole (False: the write itself does, as in object storage)."""
        ...

    def entries(self, folder: str) -> Iterable[Entry]:
        """What the folder holds, links not followed."""
        ...

    def stat(self, path: str) -> Entry:
        """One entry, a link not followed. FileNotFoundError."""
        ...

    def open_read(self, path: str) -> BinaryIO:
        """The file's bytes from its beginning. Never blocks on what is no regular file."""
        ...

    def write(self, path: str, blocks: Iterable[bytes]) -> int:
        """A new file (an old one of that name is replaced), forced to disk where that can be; returns its length."""
        ...

    def rename(self, old: str, new: str, *, overwrite: bool) -> None:
        """Another name in the same storage; FileExistsError when taken and not `overwrite`."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file. FileNotFoundError."""
        ...

    def make_folder(self, path: str) -> None:
        """The folder and those above it, where not there."""
        ...

    def close(self) -> None:
        """Let go of connections; the next call opens them anew."""
        ...


@contextmanager
def told(where: str, path: str = "", *, writing: bool = False) -> Iterator[None]:
    """Errors of a drive as ours: Refused for what no retry mends, Unreachable for the rest."""
    place = f"{where}, file {shown(path)}" if path else where
    try:
        yield
    except BinderyError as error:
        error.where = error.where or place
        raise
    except FileNotFoundError:
        raise Refused("it is not there (any more)", where=place, do="Deliver it again if it was meant.", code="FILE_GONE") from None
    except (IsADirectoryError, NotADirectoryError):
        raise Refused("it is no regular file", where=place, do="Deliver a plain file.", code="FILE_NOT_REGULAR") from None
    except FileExistsError:
        raise Unreachable(
            "a file of that name is there already", where=place, do="Remove it, or use another name.", code="FILE_NAME_TAKEN"
        ) from None
    except PermissionError:
        if writing:
            raise Unreachable(
                "we may not write there", where=place, do="Allow this login to write, or set `after: leave`.", code="INBOX_READ_ONLY"
            ) from None
        raise Unreachable("we may not read it", where=place, do="Allow this login to read it.", code="FILE_UNREADABLE") from None
    except TimeoutError:
        raise Unreachable("no answer in time", where=place, do="We try again by ourselves.", code="STORE_TIMEOUT") from None
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise Unreachable("the disk there is full", where=place, do="Make room there.", code="STORE_FULL") from None
        if error.errno == errno.EROFS:
            raise Unreachable("we may not write there", where=place, do="Set `after: leave`.", code="INBOX_READ_ONLY") from None
        if error.errno == errno.ELOOP:
            raise Refused("it is a link", where=place, do="Deliver the file itself.", code="FILE_IS_LINK") from None
        raise Unreachable(f"{type(error).__name__}: {error.strerror or error}", where=place, do="We try again by ourselves.") from error


def busy(where: str, path: str) -> Unreachable:
    """The error of a file that its writer still holds open."""
    return Unreachable("it is still open in another program", where=f"{where}, file {shown(path)}", do="We try again.", code="FILE_IN_USE")
