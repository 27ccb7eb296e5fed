"""What a comparison knows of each record: a row of 44 bytes, kept on disk in parts by its key, so that memory holds one part at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Batch, Ints
from include.marc.iso2709 import engine

#: Where a record says its own number and whose number that is: 001 and 003, danMARC2's 001 *a and *b.
FIELDS = ("001", "003")
BETWEEN = "\x1f"
Rows = npt.NDArray[np.void]
#: `key`: a digest of agency and control number, or, of a record without, of its bytes; `digest`: of its bytes; `member`: which file of the export;
#: `number`, `offset`, `length`: the record in that file; `text`, `size`: agency and number in words, in the file of words.
ROW = np.dtype(
    [
        ("key", np.uint64),
        ("digest", np.uint64),
        ("offset", np.int64),
        ("text", np.int64),
        ("number", np.int32),
        ("length", np.int32),
        ("size", np.uint16),
        ("member", np.uint16),
    ]
)
#: Rows gathered in memory before they are written.
GATHERED = 1 << 17
#: Words of one key that are kept: a control number has some twenty letters.
LONGEST = (1 << 16) - 1


class Shelf:
    """The rows of one export in `parts` files of `folder`: equal keys are in equal parts of all shelves that have as many. Each part is in the order added."""

    def __init__(self, folder: Path, parts: int) -> None:
        self.parts = parts
        self._folder = folder
        self._words = (folder / "words").open("w+b")
        self._said = 0  # bytes of words
        self._gathered: list[Rows] = []
        self._count = 0

    def add(self, batch: Batch, member: int) -> None:
        """The records of a batch that was read with `fields=FIELDS` (or all fields) and has a digest."""
        assert batch.digest is not None
        words = keys(batch)
        offsets = np.frombuffer(words.buffers()[1], np.int32)[words.offset : words.offset + len(words) + 1].astype(np.int64)
        data = np.frombuffer(words.buffers()[2] or b"", np.uint8)
        rows = np.empty(len(batch), ROW)
        digest = engine.digests(data, offsets[:-1], np.diff(offsets))
        rows["key"] = np.where(np.asarray(pc.equal(words, BETWEEN)), batch.digest, digest)
        rows["digest"], rows["member"], rows["number"] = batch.digest, member, batch.number
        rows["offset"], rows["length"] = batch.offset, batch.length
        rows["text"], rows["size"] = offsets[:-1] - offsets[0] + self._said, np.minimum(np.diff(offsets), LONGEST)
        self._words.write(data[offsets[0] : offsets[-1]].data)
        self._said += int(offsets[-1] - offsets[0])
        self._gathered.append(rows)
        self._count += len(rows)
        if self._count >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered: to be done when all is added."""
        if self._gathered:
            rows = np.concatenate(self._gathered)
            self._gathered, self._count = [], 0
            part = (rows["key"] % np.uint64(self.parts)).astype(np.uint16)
            order = np.argsort(part, kind="stable")
            edges = np.searchsorted(part[order], np.arange(self.parts + 1))
            rows = rows[order]
            for number, (start, stop) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
                with self._part(number).open("ab") as file:
                    file.write(rows[start:stop].data)
        self._words.flush()

    def rows(self, part: int) -> Rows:
        """The rows of a part."""
        path = self._part(part)
        found: Rows = np.fromfile(path, ROW) if path.exists() else np.zeros(0, ROW)
        return found

    def words(self, rows: Rows) -> list[tuple[str, str]]:
        """Agency and control number of these rows."""
        found = []
        for place, size in zip(rows["text"].tolist(), rows["size"].tolist(), strict=True):
            self._words.seek(place)
            agency, _, number = self._words.read(size).decode("utf-8", "replace").partition(BETWEEN)
            found.append((agency, number))
        return found

    def close(self) -> None:
        """Close the file of words."""
        self._words.close()

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number}"


def in_order(rows: Rows) -> Ints:
    """The order of the rows by file and number."""
    found: Ints = np.lexsort((rows["number"], rows["member"]))
    return found


def keys(batch: Batch) -> pa.StringArray:
    """Agency and control number of each record, with BETWEEN between them; BETWEEN alone where it has neither."""
    agency = pc.coalesce(batch.first_value("003"), batch.first_value("001", "b"), pa.scalar(""))
    number = pc.fill_null(batch.control_numbers, "")
    return pc.binary_join_element_wise(pc.utf8_trim_whitespace(agency), pc.utf8_trim_whitespace(number), BETWEEN)
