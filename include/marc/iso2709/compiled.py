"""kernel.c built with the machine's C compiler and called through ctypes. Where there is none, `functions()` is None and NumPy does the work.

The library lies in the user's cache, under a name with the hash of source, compiler flags and machine; it is built once, in a second.
BINDERY_MARC_KERNEL=off leaves it out.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from include.marc.batch import Bools, Ints
from include.marc.iso2709.blocks import DELIMITER, END_OF_RECORD
from include.marc.iso2709.shapes import Fields, Rows, Spans

SOURCE = Path(__file__).with_name("kernel.c")
FLAGS = ["-O3", "-std=c99", "-shared", "-fPIC"]
SETTING = "BINDERY_MARC_KERNEL"
#: The smallest record: a leader, one entry, two field terminators and a record terminator.
SMALLEST_FIELD = 13


@cache
def functions() -> ctypes.CDLL | None:
    """The library, built if need be; None if it is switched off, there is no compiler, or it cannot be built or loaded."""
    library = loaded(SOURCE)
    if library is None:
        return None
    library.count_byte.restype = ctypes.c_int64
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
    source = file.read_bytes()
    name = hashlib.sha256(b"\0".join([source, " ".join([*FLAGS, platform.machine(), platform.system()]).encode()])).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bindery"
    library = folder / f"marc-{name}.so"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is someone else's")
    if library.exists():
        return library
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise FileNotFoundError("no C compiler")
    with tempfile.TemporaryDirectory(dir=folder) as made:
        draft = Path(made) / "kernel.so"
        subprocess.run([*compiler.split(), *FLAGS, str(file), "-o", str(draft)], check=True, capture_output=True, timeout=60)
        draft.replace(library)  # whoever builds at the same time does the same
    return library


def fields(library: ctypes.CDLL, buffer: Ints, end: int, *, subfields_below_010: bool, wanted: Bools | None = None) -> tuple[Spans, Fields]:
    """directory.fields, compiled."""
    most_spans = int(library.count_byte(_at(buffer), ctypes.c_int64(end), END_OF_RECORD))
    most = end // SMALLEST_FIELD + most_spans + 1
    span_start, span_stop, clean = np.empty(most_spans, np.int32), np.empty(most_spans, np.int32), np.empty(most_spans, np.bool_)
    rec, key, seq = np.empty(most, np.int32), np.empty(most, np.uint32), np.empty(most, np.int32)
    start, stop, plain = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.bool_)
    counts = np.zeros(2, np.int64)
    outputs: list[npt.NDArray[Any]] = [span_start, span_stop, clean, rec, key, seq, start, stop, plain, counts]
    only = None if wanted is None else _at(wanted)
    library.fields(_at(buffer), ctypes.c_int64(end), int(subfields_below_010), only, *(_at(output) for output in outputs))
    found = int(counts[1])
    return Spans(span_start, span_stop, clean), Fields(rec[:found], key[:found], seq[:found], start[:found], stop[:found], plain[:found])


def rows(library: ctypes.CDLL, area: Ints, fields: Fields, look: Bools) -> Rows:
    """subfields.rows, compiled: it looks at all values, whatever `look` asks for."""
    most_empty = int(library.count_byte(_at(area), ctypes.c_int64(len(area)), DELIMITER))
    count = len(fields.rec)
    most = most_empty + count
    field, start, end = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    ind1, ind2, code, flags = np.empty(most, np.uint8), np.empty(most, np.uint8), np.empty(most, np.uint16), np.empty(most, np.uint8)
    empty, counts = np.empty(most_empty, np.int32), np.zeros(2, np.int64)
    given = (np.ascontiguousarray(fields.start), np.ascontiguousarray(fields.end), np.ascontiguousarray(fields.plain))
    outputs: list[npt.NDArray[Any]] = [field, ind1, ind2, code, start, end, flags, empty, counts]
    library.rows(_at(area), ctypes.c_int64(count), *(_at(array) for array in given), *(_at(array) for array in outputs))
    found = slice(0, int(counts[0]))
    return Rows(field[found], ind1[found], ind2[found], code[found], start[found], end[found], flags[found], empty[: counts[1]])


def digests(library: ctypes.CDLL, data: Ints, start: Ints, length: Ints) -> Ints:
    """A uint64 for each stretch of `data`."""
    begin, size = np.ascontiguousarray(start, np.int64), np.ascontiguousarray(length, np.int64)
    found = np.empty(len(begin), np.uint64)
    library.digests(_at(data), ctypes.c_int64(len(begin)), _at(begin), _at(size), _at(found))
    return found


def _at(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
