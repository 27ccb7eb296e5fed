"""A delivered file as the files in it: itself when it is not packed, one from gzip or Zstandard, any number from a ZIP.

What an archive can hide is refused before a reader sees a byte of it: names that lead elsewhere, passwords, archives in archives, a size
out of all proportion. Nothing is ever unpacked to disk.
"""

from __future__ import annotations

import errno
import io
import lzma
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from stream_inflate import stream_inflate64  # type: ignore[import-untyped]

from include.engine.errors import BinderyError, Refused
from include.engine.storage.bounded import Blocks
from include.engine.storage.seen import shown
from include.engine.storage.unpack import HEAD, STEP, damaged, gunzip, packing, truncated, unzstd

DEFLATE64 = 9  # APPNOTE 4.4.5; what Windows Explorer writes for files over 2 GB
_READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, DEFLATE64}
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # APPNOTE 4.4.4: encrypted, strongly encrypted, central directory encrypted


@dataclass(frozen=True)
class Limits:
    """How far a delivery may unpack: at most `ratio` times its packed bytes (judged from `ratio_from` bytes on), and `max_bytes` in all."""

    ratio: float = 100.0
    max_bytes: int = 16 << 30
    ratio_from: int = 1 << 20
    members: int = 10_000


@dataclass(frozen=True)
class Member:
    """One file in a delivery: its path in the archive ("" when there is none) and its bytes, to be read once, before the next member."""

    name: str
    stream: BinaryIO


def members(name: str, stream: BinaryIO, limits: Limits | None = None) -> Iterator[Member]:
    """The files in the delivered file `name` (for errors only), a ZIP's in the order of their names. A ZIP must be seekable.

    Raises Refused with an ARCHIVE_ code: at the start for what the directory shows, while reading for what only the bytes show.
    """
    limits = limits or Limits()
    start = io.BufferedReader(stream, STEP) if isinstance(stream, io.RawIOBase) else stream
    try:
        head = _read(start, HEAD)
        kind = packing(head)
        with _placed(name):
            if kind == "zip":
                yield from _unzip(name, start, limits)
            elif kind in {"gzip", "zstd"}:
                counted = _Counted(head, start)
                blocks = (gunzip if kind == "gzip" else unzstd)(cast(BinaryIO, counted))
                yield _member(name, "", _Guard(limits, lambda: counted.count).watch(blocks))
            elif kind:
                raise _unknown(f"it is packed as {kind}", kind)
            else:
                yield Member("", _stream(_chain(head, start)))
    finally:
        if start is not stream:
            cast(io.BufferedReader, start).detach()  # a forgotten buffer would close the stream under its owner


class _placed:
    """Names the file in every error of the family that passes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BinderyError) and not error.where:
            error.where = f"file {shown(self._name)}"


class _Guard:
    """Counts what comes out, over all members, against what went in."""

    def __init__(self, limits: Limits, packed: Callable[[], int]) -> None:
        self._limits, self._packed, self._out = limits, packed, 0

    def watch(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self._out += len(block)
            self.judge(self._out)
            yield block

    def judge(self, out: int) -> None:
        """ARCHIVE_BOMB for `out` unpacked bytes that are too many."""
        limits = self._limits
        if out > limits.max_bytes:
            raise _bomb(f"it unpacks to more than {limits.max_bytes} bytes", limits.max_bytes)
        if out > limits.ratio_from and out > limits.ratio * self._packed():
            raise _bomb(f"it unpacks to more than {limits.ratio:g} times its size", limits.ratio * self._packed())


def _bomb(what: str, most_bytes: float) -> Refused:
    do = "Deliver the export as the library system writes it, or agree a higher limit with us."
    return Refused(what, do=do, code="ARCHIVE_BOMB", values={"limit": f"{most_bytes / 1e6:,.1f} MB"})


def _unzip(name: str, stream: BinaryIO, limits: Limits) -> Iterator[Member]:
    size = stream.seek(0, io.SEEK_END)
    try:
        archive = zipfile.ZipFile(stream)
    except UnicodeDecodeError:
        raise damaged("a name in its directory is not the UTF-8 that it says it is") from None
    except (zipfile.BadZipFile, struct.error, EOFError, ValueError):  # no directory at its end, or one that leads elsewhere
        raise truncated() from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the file's beginning
            raise
        raise truncated() from None
    except NotImplementedError as error:
        raise _unknown(str(error), "ZIP") from None
    guard = _Guard(limits, lambda: size)
    files = _files(archive, limits)
    guard.judge(sum(info.file_size for _, info in files))
    for path, info in files:
        yield _member(name, path, guard.watch(_inflate64(stream, info) if info.compress_type == DEFLATE64 else _extract(archive, info)))


def _files(archive: zipfile.ZipFile, limits: Limits) -> list[tuple[str, zipfile.ZipInfo]]:
    """The files of the directory by safe name, sorted; what a Mac adds to an archive is left out."""
    found: dict[str, zipfile.ZipInfo] = {}
    if len(archive.filelist) > limits.members:
        raise Refused(
            f"it holds more than {limits.members} files",
            do="Deliver fewer files in one archive.",
            code="ARCHIVE_BOMB",
            values={"limit": f"{limits.members:,} files"},
        )
    for info in archive.filelist:
        path = _safe(info)
        if info.flag_bits & _ENCRYPTED or info.compress_type == 99:  # 99: AES, by WinZip's extension
            raise Refused(f"{shown(path)} is protected with a password", do="Deliver it without one.", code="ARCHIVE_ENCRYPTED")
        if path.endswith("/") or path.startswith("__MACOSX/") or path.rpartition("/")[2] == ".DS_Store":
            continue
        if path in found:
            raise _unsafe(path, "is there twice")
        if info.compress_type not in _READ:
            raise _unknown(f"{shown(path)} uses method {info.compress_type}", f"ZIP {info.compress_type}")
        found[path] = info
    if "[Content_Types].xml" in found:  # ECMA-376-2: every .xlsx and .docx
        raise _unknown("it is an office document: export it as CSV", "Office Open XML")
    if not found:
        raise Refused("the archive holds no file", do="Pack the file anew and deliver it again.", code="ARCHIVE_EMPTY")
    return sorted(found.items())


def _unknown(what: str, kind: str) -> Refused:
    return Refused(what, do="Deliver it unpacked, or as ZIP, gzip or Zstandard.", code="ARCHIVE_UNKNOWN", values={"value": kind})


def _safe(info: zipfile.ZipInfo) -> str:
    """The path in an archive in NFC with "/"; ARCHIVE_UNSAFE_NAME for one that would lead out of a folder, or is no plain file."""
    path = unicodedata.normalize("NFC", info.orig_filename.replace("\\", "/"))
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise _unsafe(path, "is an absolute path")
    if ".." in path.split("/"):
        raise _unsafe(path, "leads out of the archive")
    if re.search(r"[\x00-\x1f\x7f]", path) or not path:
        raise _unsafe(path, "holds a control character, or is empty")
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _unsafe(path, "is a link or a device")
    return path


def _unsafe(path: str, why: str) -> Refused:
    return Refused(
        f"{shown(path)[:200]!r} {why}",
        do="Pack plain files under plain names.",
        code="ARCHIVE_UNSAFE_NAME",
        values={"value": shown(path)[:200]},
    )


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as file:
            while block := file.read(STEP):
                yield block
    except EOFError:
        raise truncated() from None
    except NotImplementedError as error:
        raise _unknown(str(error), "ZIP") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, ValueError) as error:
        raise damaged(str(error)) from None


def _inflate64(stream: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    stream.seek(info.header_offset)
    header = stream.read(30)
    if len(header) < 30:
        raise truncated()
    stream.seek(info.header_offset + 30 + sum(struct.unpack("<HH", header[26:])))  # APPNOTE 4.3.7: name and extra field

    def packed() -> Iterator[bytes]:
        left = info.compress_size
        while left and (block := stream.read(min(left, 1 << 16))):
            left -= len(block)
            yield block

    inflated, done, _ = stream_inflate64()
    checksum, size = 0, 0
    try:
        for block in inflated(packed()):
            checksum, size = zlib.crc32(block, checksum), size + len(block)
            yield block
    except Exception as error:  # stream_inflate's family begins at Exception
        raise damaged(type(error).__name__) from None
    if not done():
        raise truncated()
    if checksum != info.CRC or size != info.file_size:
        raise damaged("its checksum does not agree")


def _member(archive: str, path: str, blocks: Iterator[bytes]) -> Member:
    """A member whose own first bytes are those of another archive is refused before it is handed out."""
    head = b""
    while len(head) < HEAD and (block := next(blocks, None)) is not None:
        head += block
    if kind := packing(head):
        inner = shown(path) or shown(archive)
        raise Refused(f"{inner} holds another archive ({kind})", do="Pack it once only.", code="ARCHIVE_NESTED", values={"value": inner})

    def whole() -> Iterator[bytes]:
        with _placed(f"{archive}, member {path}" if path else archive):
            yield head
            yield from blocks

    return Member(path, _stream(whole()))


class _Counted(io.RawIOBase):
    """The packed bytes: what was peeked at, then the rest; `count` of them are read."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head, self._rest, self.count = head, rest, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        block, self._head = (self._head, b"") if self._head else (self._rest.read(size), b"")
        self.count += len(block)
        return block


def _chain(head: bytes, rest: BinaryIO) -> Iterator[bytes]:
    yield head
    while block := rest.read(STEP):
        yield block


def _stream(blocks: Iterator[bytes]) -> BinaryIO:
    return io.BufferedReader(Blocks(blocks), STEP)


def _read(stream: BinaryIO, size: int) -> bytes:
    """As many bytes as there are up to `size`, however few a read gives."""
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found
