"""What packs a file, told by its first bytes and never by its name; and gzip and Zstandard as streams of unpacked blocks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Literal

import pyarrow as pa

from include.engine.errors import Refused

HEAD = 512  # bytes that `packing` wants to see: a tar header's magic stands at 257
STEP = 1 << 20

Packing = Literal["", "gzip", "zip", "zstd", "bzip2", "xz", "7z", "rar", "tar", "lz4", "compress", "cab"]
_MAGIC: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b", "gzip"),  # RFC 1952, 2.3.1
    (b"PK\x03\x04", "zip"),  # APPNOTE 4.3.7; 4.3.16 for an empty one; 8.5.4 for a split one
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK\x03\x04", "zip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),  # RFC 8878, 3.1.1
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
)


def packing(head: bytes) -> Packing:
    """What the file is packed with, "" for nothing."""
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (kind != "bzip2" or head[4:10] == b"\x31\x41\x59\x26\x53\x59"):
            return kind
    return "tar" if head[257:262] == b"ustar" else ""


def gunzip(stream: BinaryIO) -> Iterator[bytes]:
    """Every member of a gzip file (RFC 1952), one after the other, in blocks of at most 1 MiB; zeros after the last are padding."""
    given = b""
    while True:
        given = given or stream.read(STEP)
        if not given:
            return
        member, ended = zlib.decompressobj(wbits=31), False
        while not ended:
            try:
                block = member.decompress(given, STEP)
            except zlib.error as error:
                raise damaged(str(error)) from None
            if block:
                yield block
            ended, given = member.eof, member.unconsumed_tail
            if not given and not ended:
                given = stream.read(STEP)
                if not given and not block:
                    raise truncated()
        given = (member.unused_data or stream.read(STEP)).lstrip(b"\0")
        while not given and (more := stream.read(STEP)):
            given = more.lstrip(b"\0")
        if given and not given.startswith(b"\x1f\x8b"[: len(given)]):
            raise damaged("bytes follow its end that are no gzip")


def unzstd(stream: BinaryIO) -> Iterator[bytes]:
    """Every frame of a Zstandard file (RFC 8878), in blocks of at most 1 MiB."""
    unpacked = pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")
    while True:
        try:
            block = unpacked.read(STEP)
        except (OSError, pa.ArrowException) as error:
            if isinstance(error.__context__, Refused):
                raise error.__context__ from None
            raise (truncated() if "truncated" in str(error).lower() else damaged(str(error))) from None
        if not block:
            return
        yield block


def damaged(why: str) -> Refused:
    """The error of an archive whose bytes are not what they were."""
    return Refused(f"the archive is damaged ({why})", do="Pack the file anew and deliver it again.", code="ARCHIVE_BAD_CRC")


def truncated() -> Refused:
    """The error of an archive that ends too early."""
    return Refused("the archive is cut short", do="Deliver it again.", code="ARCHIVE_TRUNCATED")
