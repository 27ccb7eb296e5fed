"""The files of one lake table, local or on object storage, by path relative to the table."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

LOG = "_delta_log"


@dataclass(frozen=True)
class StoredFile:
    """A file as a listing shows it: path relative to the table, size in bytes, last change (aware)."""

    path: str
    size: int
    changed: datetime


@dataclass(frozen=True)
class TableStore:
    """`files` is rooted at the table; `folder` is its local folder, None on object storage."""

    files: fs.FileSystem
    folder: Path | None

    def open_input(self, path: str) -> pa.NativeFile:
        """A readable, seekable file."""
        return self.files.open_input_file(path)

    def open_output(self, path: str) -> pa.NativeFile:
        """A new file; its folder is made where folders exist."""
        if self.folder is not None:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        return self.files.open_output_stream(path)

    def read(self, path: str) -> bytes | None:
        """The bytes of a small file, None when it is not there."""
        try:
            with self.open_input(path) as stream:
                content: bytes = stream.read()
                return content
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int | None:
        """Size in bytes, None when the file is not there."""
        info = self.files.get_file_info([path])[0]
        return None if info.type == fs.FileType.NotFound else int(info.size)

    def delete(self, path: str) -> bool:
        """Delete; False when it was not there any more."""
        try:
            self.files.delete_file(path)
        except FileNotFoundError:
            return False
        return True

    def listing(self, folder: str) -> list[StoredFile]:
        """All files below `folder` ("" is the whole table)."""
        selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
        found = [info for info in self.files.get_file_info(selector) if info.type == fs.FileType.File]
        return [StoredFile(info.path.lstrip("/"), info.size, info.mtime) for info in found]

    def sync(self, path: str) -> None:
        """Make a local file and its name durable; object storage answers a write only when it is."""
        if self.folder is None:
            return
        for place in (self.folder / path, (self.folder / path).parent):
            with contextlib.suppress(FileNotFoundError):
                handle = os.open(place, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)


def open_store(uri: str, storage_options: dict[str, str] | None) -> TableStore:
    """The store of the table at `uri`, an absolute path or an URI that Delta's object store knows."""
    if "://" not in uri:
        return TableStore(fs.SubTreeFileSystem(uri, fs.LocalFileSystem()), Path(uri))
    from deltalake.fs import DeltaStorageHandler  # the same client and credentials as the table's own log

    return TableStore(fs.PyFileSystem(DeltaStorageHandler(uri, storage_options or {})), None)
