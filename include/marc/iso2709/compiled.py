"""kernel.c built with the machine's C compiler and called through ctypes. Where there is none, `functions()` is None and NumPy does the work.

The library lies in the user's cache, under a name with the hash of source, compiler flags and machine; it is built once, in a second.
BINDERY_MARC_KERNEL=off leaves it out.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from include import compiler
from include.marc.batch import Bools, Ints
from include.marc.iso2709.blocks import DELIMITER, END_OF_RECORD, SPARE
from include.marc.iso2709.shapes import ROWS, Fields, Rows, Spans

SOURCE = Path(__file__).with_name("kernel.c")
FLAGS = ["-O3", "-std=c99", "-shared", "-fPIC"]
SETTING = "BINDERY_MARC_KERNEL"
#: The smallest record (leader, field terminator, record terminator), and what a field takes at least: an entry and a terminator.
SMALLEST, SMALLEST_FIELD = 26, 13


@cache
def functions() -> ctypes.CDLL | None:
    """The library, built if need be; None if it is switched off, there is no compiler, or it cannot be built or loaded."""
    library = loaded(SOURCE)
    if library is None:
        return None
    library.count_byte.restype = library.values.restype = ctypes.c_int64
    library.fields.restype = library.rows.restype = library.digests.restype = None
    return library


def loaded(source: Path) -> ctypes.CDLL | None:
    """The library of a C source; None if compiled code is switched off, there is no compiler, or it cannot be built or loaded."""
    if os.environ.get(SETTING, "") == "off":
        return None
    try:
        return ctypes.CDLL(str(built(source)))
    except (OSError, subprocess.SubprocessError):
        return None


def built(file: Path) -> Path:
    """The library's file. Raises OSError or SubprocessError where there can be none."""
    name = compiler.name_of([file.read_bytes(), " ".join(FLAGS).encode()])
    library = compiler.cache() / f"marc-{name}.so"
    if not library.exists():
        compiler.build(file, library, FLAGS)
    return library


def fields(library: ctypes.CDLL, buffer: Ints, end: int, *, subfields_below_010: bool, wanted: Bools | None = None) -> tuple[Spans, Fields]:
    """directory.fields, compiled."""
    only = None if wanted is None else _at(wanted)
    counts = np.zeros(2, np.int64)
    most = end // SMALLEST + 1
    while True:  # once, unless there are terminators without records
        most_fields = end // SMALLEST_FIELD + most + 1
        start, stop, clean = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.bool_)
        found: list[Any] = [np.empty(most_fields, kind) for kind in (np.int32, np.uint32, np.int32, np.int32, np.int32, np.bool_)]
        given = (_at(buffer), ctypes.c_int64(end), int(subfields_below_010), only, ctypes.c_int64(most))
        library.fields(*given, _at(start), _at(stop), _at(clean), _pointers(found), _at(counts))
        spans, count = counts.tolist()
        if spans < most:
            return Spans(start[:spans], stop[:spans], clean[:spans]), Fields(*(array[:count] for array in found))
        most = counted(library, buffer, end, END_OF_RECORD) + 1


def counted(library: ctypes.CDLL, data: Ints, end: int, byte: int) -> int:
    """How many bytes of data[:end] have this value; `library` is that of `functions`."""
    return int(library.count_byte(_at(data), ctypes.c_int64(end), byte))


def rows(library: ctypes.CDLL, area: Ints, fields: Fields, tag: Ints, look: Bools) -> Rows:
    """subfields.rows, compiled: it looks at all values, whatever `look` asks for."""
    count, most_empty = len(fields.rec), int((fields.end - fields.start).sum())  # a delimiter is a byte
    if most_empty > len(area) // 8:
        most_empty = counted(library, area, len(area), DELIMITER)
    of_field = [np.ascontiguousarray(array) for array in (fields.rec, tag, fields.seq, fields.start, fields.end, fields.plain)]
    found: dict[str, Any] = {name: np.empty(most_empty + count, kind) for name, kind in ROWS.items()}
    empty, counts = np.empty(most_empty, np.int32), np.zeros(2, np.int64)
    library.rows(_at(area), ctypes.c_int64(count), _pointers(of_field), _pointers(list(found.values())), _at(empty), _at(counts))
    return Rows(**{name: array[: counts[0]] for name, array in found.items()}, empty=empty[: counts[1]])


def values(library: ctypes.CDLL, area: Ints, other: Ints, start: Ints, end: Ints, flags: Ints | None) -> tuple[pa.BinaryArray, Ints]:
    """The values [start, end) as one array, those behind the area's end from `other`; and which of those flagged HIGH are no UTF-8.

    Behind area and other there are SPARE bytes."""
    begin, finish = np.ascontiguousarray(start), np.ascontiguousarray(end)
    count = len(begin)
    size = int((finish - begin).sum())
    offset, data, wrong = np.empty(count + 1, np.int32), np.empty(size + SPARE, np.uint8), np.empty(count, np.int32)
    given = (_at(area), ctypes.c_int64(len(area)), _at(other), ctypes.c_int64(count), _at(begin), _at(finish))
    outputs = (None if flags is None else _at(flags), _at(offset), _at(data), _at(wrong))
    wrongs = int(library.values(*given, *outputs))
    return pa.BinaryArray.from_buffers(pa.binary(), count, [None, pa.py_buffer(offset), pa.py_buffer(data[:size])]), wrong[:wrongs]


def digests(library: ctypes.CDLL, data: Ints, start: Ints, length: Ints) -> Ints:
    """A uint64 for each stretch of `data`."""
    begin, size = np.ascontiguousarray(start, np.int64), np.ascontiguousarray(length, np.int64)
    found = np.empty(len(begin), np.uint64)
    library.digests(_at(data), ctypes.c_int64(len(begin)), _at(begin), _at(size), _at(found))
    return found


def _at(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _pointers(arrays: Sequence[npt.NDArray[Any]]) -> ctypes.Array[ctypes.c_void_p]:
    """A struct of pointers. The arrays must live as long as it is used."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
