"""Files as a library leaves them: bare, gzip or zip, the same bytes at every run."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(path: Path, chunks: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """(size, SHA-256) of the file; its suffix says how it is packed (`.gz`, `.zip` with one member, anything else: not)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=1) as packed:
                _copy(chunks, cast(BinaryIO, packed))
        elif path.suffix == ".zip":
            member = zipfile.ZipInfo(path.stem + ".csv", _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member._compresslevel = 1  # type: ignore[attr-defined]
            # Unix, regular file, rw-r--r--: the same wherever it is made.
            member.create_system, member.external_attr = 3, 0o100644 << 16
            with zipfile.ZipFile(raw, "w") as archive, archive.open(member, "w", force_zip64=True) as packed:
                _copy(chunks, cast(BinaryIO, packed))
        else:
            _copy(chunks, raw)
    return path.stat().st_size, _hash(path)


def _copy(chunks: Iterable[bytes | memoryview], target: BinaryIO) -> None:
    for chunk in chunks:
        target.write(chunk)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
