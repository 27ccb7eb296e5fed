"""MARC files as they lie about: a path or a file object; bare, gzip, Zstandard or ZIP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from include.engine.storage.archive import Limits, Member, members
from include.engine.storage.unpack import HEAD, packing

#: A person who reads a file of their own may unpack as much as the disk holds: 1 TiB. Catalogues of one field over and over shrink far.
LIMITS = Limits(ratio=1_000.0, max_bytes=1 << 40)


def is_xml(stream: BinaryIO) -> bool:
    """Whether the file (seekable, left at its start) begins as XML does."""
    stream.seek(0)
    head = stream.read(256)
    stream.seek(0)
    return head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<")


@contextmanager
def opened(source: str | Path | BinaryIO) -> Iterator[Iterator[Member]]:
    """The files in `source`: itself, what it packs, or a ZIP's members. Raises OSError, and Refused (ARCHIVE_...) for what cannot be unpacked."""
    if not isinstance(source, str | Path):
        yield members("the stream", source, LIMITS)
        return
    path = Path(source)
    with path.open("rb", buffering=0) as file:
        head = file.read(HEAD)
        file.seek(0)
        bare = cast(BinaryIO, file)
        yield members(path.name, bare, LIMITS) if packing(head) else iter([Member("", bare)])
