"""Where the records of a plain page lie, and what their headers say, in one pass over its bytes: kernel.c, built and loaded as
include.marc.iso2709.compiled does. Nearly every page is plain. Where one is not, and where nothing can be built, page.py and record.py
find the same with a parser and by patterns."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from include.marc.iso2709.compiled import loaded

SOURCE = Path(__file__).with_name("kernel.c")
_DECLARATION = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')(?:\s+encoding\s*=\s*(?:"[A-Za-z][\w.-]*"|'[A-Za-z][\w.-]*'))?"""
    rb"""(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>"""
)
_NO_ROOM = -2
_LARGEST = 1 << 31
Places = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Marks:
    """Places in the page, as offsets; a column of `columns` a record: start, end, identifier, its end, datestamp, its end, metadata, its end, flags.

    -1 stands for nothing. `sets` has a column a setSpec: the record's number, start, end.
    """

    columns: Places
    sets: Places

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    @property
    def start(self) -> Places:
        """Of each record the offset of its first byte."""
        found: Places = self.columns[0]
        return found

    @property
    def end(self) -> Places:
        """Of each record the offset behind its last byte."""
        found: Places = self.columns[1]
        return found

    @property
    def deleted(self) -> npt.NDArray[np.bool_]:
        """Which headers say so."""
        found: npt.NDArray[np.bool_] = (self.columns[8] & 1) > 0
        return found

    @property
    def odd(self) -> npt.NDArray[np.bool_]:
        """Which records are to be looked at by themselves (record.py): their places here do not tell all."""
        found: npt.NDArray[np.bool_] = ((self.columns[8] & 2) > 0) | (self.columns[2] >= self.columns[3])
        return found

    def texts(self, page: bytes, column: int) -> Iterator[bytes]:
        """What stands at the places `column` (2: identifiers, 4: datestamps), as it is written; b"" for nothing."""
        return (page[start:end] if start >= 0 else b"" for start, end in self.columns[column : column + 2].T.tolist())


@cache
def _library() -> ctypes.CDLL | None:
    library = loaded(SOURCE)
    if library is not None:
        library.look.restype = ctypes.c_int64
        library.ready()
    return library


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8 (RFC 3629)."""
    library = _library()
    if library is not None:
        return bool(library.utf8(ctypes.c_char_p(data), ctypes.c_int64(len(data))))
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def marks(page: bytes, element: str) -> Marks | None:
    """The marks of a page in UTF-8 whose records are elements `element` (record, header, or "" where there are none).

    A page for which there are marks is well-formed XML with namespaces. None: it is not plain, which says nothing, or nothing could be built.
    """
    library = _library()
    if library is None or len(page) >= _LARGEST:
        return None
    declared = _DECLARATION.match(page)
    begin, room = declared.end() if declared else 0, len(page) // 400 + 16
    while room < len(page) + 64:
        found, sets, count = np.empty((room, 9), np.int32), np.empty((2 * room, 3), np.int32), ctypes.c_int64()
        told = library.look(
            ctypes.c_char_p(page),
            ctypes.c_int64(begin),
            ctypes.c_int64(len(page)),
            ctypes.c_char_p(element.encode()),
            ctypes.c_int64(room),
            ctypes.c_void_p(found.ctypes.data),
            ctypes.c_int64(2 * room),
            ctypes.c_void_p(sets.ctypes.data),
            ctypes.byref(count),
        )
        if told != _NO_ROOM:
            return Marks(np.ascontiguousarray(found[:told].T), np.ascontiguousarray(sets[: count.value].T)) if told >= 0 else None
        room *= 4
    return None
