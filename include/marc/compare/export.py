"""One side of a comparison: the files of an export, read once through, and then again wherever records differ."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from include.marc import iso2709, marcxml
from include.marc.batch import Batch, Bools, Family, Tags
from include.marc.compare.content import content_digests
from include.marc.compare.differences import Fields, fields, together
from include.marc.compare.rows import FIELDS, Rows, Shelf
from include.marc.progress import Together
from include.marc.source import is_xml, opened


@dataclass
class Export:
    """A file of MARC. What is packed is unpacked into `folder` first, so that any record can be read again by its place."""

    path: Path
    family: Family
    charset: str
    folder: Path

    @cached_property
    def files(self) -> list[Path]:
        """The bare files."""
        with opened(self.path) as members:
            files = []
            for number, member in enumerate(members):
                if isinstance(member.stream, io.FileIO):  # it was not packed
                    return [self.path]
                files.append(self.folder / str(number))
                with files[-1].open("wb") as file:
                    shutil.copyfileobj(member.stream, file, 1 << 20)
            return files

    @cached_property
    def is_xml(self) -> bool:
        """Whether the export, or any of its files, is XML."""
        return any(self._heads.values())

    @cached_property
    def _heads(self) -> dict[Path, bytes]:
        """For each file that is XML what stands before its first record; nothing for ISO 2709."""
        heads = {}
        for file in self.files:
            with file.open("rb") as stream:
                size = marcxml.boundary(stream, 0) if is_xml(stream) else 0
                stream.seek(0)
                heads[file] = stream.read(size)
        return heads

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)

    def onto(self, shelf: Shelf, by_content: bool, progress: Together) -> int:
        """Put all records on the shelf; their digests are of what they say, or of their bytes. Returns how many could not be read."""
        aside = 0
        for member, file in enumerate(self.files):
            for batch in self._batches(file, by_content):
                shelf.add(batch, member)
                progress.add(batch)
                aside += batch.aside.num_rows
        shelf.flush()
        return aside

    def _batches(self, file: Path, by_content: bool) -> Iterator[Batch]:
        with file.open("rb", buffering=0) as stream:
            if not by_content:
                yield from iso2709.scan(stream, family=self.family, charset=self.charset, fields=FIELDS, digest=True)
                return
            for batch in self._scan(stream, file):
                yield replace(batch, digest=content_digests(batch))

    def _scan(self, stream: BinaryIO, file: Path) -> Iterator[Batch]:
        if self._heads[file]:
            return marcxml.scan(stream, family=self.family, where=file.name)
        return iso2709.scan(stream, family=self.family, charset=self.charset)

    def fields(self, rows: Rows, names: Tags) -> tuple[Fields, Bools]:
        """What these records say, read again; and which of them cannot be read by themselves."""
        parts, lost = [], np.zeros(len(rows), np.bool_)
        for member, file in enumerate(self.files):
            mine = np.flatnonzero(rows["member"] == member)
            with file.open("rb") as stream:
                raws = [_read(stream, *place) for place in zip(rows["offset"][mine].tolist(), rows["length"][mine].tolist(), strict=True)]
            read = list(self._parsed(raws, file)) if raws else []
            if sum(len(batch) for batch in read) == len(raws):
                start = np.cumsum([0, *map(len, read)])
                parts += [fields(batch, mine[at : at + len(batch)], names) for at, batch in zip(start.tolist(), read, strict=False)]
                continue
            for place, raw in zip(mine.tolist(), raws, strict=True):  # not each of them makes one record: one by one
                one = next((batch for batch in self._parsed([raw], file) if len(batch)), None)
                if one is None:
                    lost[place] = True
                else:
                    parts.append(fields(one.select(np.arange(len(one)) == 0), np.array([place]), names))
        return together(parts), lost

    def _parsed(self, raws: list[bytes], file: Path) -> Iterator[Batch]:
        return self._scan(io.BytesIO(self._heads[file] + b"".join(raws)), file)


def _read(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)
