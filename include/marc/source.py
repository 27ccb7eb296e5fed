"""MARC files as they lie about: a path or a file object; bare, gzip, Zstandard or ZIP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from include.engine.storage.archive import Limits, Member, members
from include.engine.storage.unpack import HEAD, packing

#: A person who reads a file of their own may unpack as much as the disk holds: 1 TiB. Catalogues of one field over and over shrink far.
LIMITS = Limits(ratio=1_000.0, max_bytes=1 << 40)


def is_xml(stream: BinaryIO) -> bool:
    """Whether the stream (at its start, where it is left) begins as XML does. It must be seekable, or have `peek`."""
    if stream.seekable():
        head = stream.read(256)
        stream.seek(0)
    else:
        head = cast(BufferedReader, stream).peek(256)[:256]
    return head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<")


@contextmanager
def opened(source: str | Path | BinaryIO) -> Iterator[Iterator[Member]]:
    """The files in `source`: itself, what it packs, or a ZIP's members. Raises OSError, and Refused (ARCHIVE_...) for what cannot be unpacked."""
    if isinstance(source, str | Path):
        with Path(source).open("rb", buffering=0) as file:
            yield _members(Path(source).name, cast(BinaryIO, file))
    else:
        yield _members("the stream", source)


def _members(name: str, stream: BinaryIO) -> Iterator[Member]:
    """What is not packed is handed out as it is: readers then read straight from the file."""
    if stream.seekable():
        start = stream.tell()
        head = stream.read(HEAD)
        stream.seek(start)
        if not packing(head):
            return iter([Member("", stream)])
    return members(name, stream, LIMITS)
