"""kernel.c, built and loaded as include.marc.iso2709.compiled does; where it cannot be, NumPy does the work."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from include.marc.batch import Bools, Ints
from include.marc.iso2709 import compiled as iso2709
from include.marc.marcxml.dialect import CLOSING, Dialect, Kind, Template
from include.marc.marcxml.shapes import Places

SOURCE = Path(__file__).with_name("kernel.c")


@cache
def functions() -> ctypes.CDLL | None:
    """The library, or None."""
    library = iso2709.loaded(SOURCE) if iso2709.functions() is not None else None
    if library is not None:
        library.tokens.restype = library.misplaced.restype = library.rows.restype = ctypes.c_int64
    return library


class _Patterns:
    """The dialect as the kernel takes it: each pattern's text and mask, filled up to a multiple of eight bytes."""

    def __init__(self, dialect: Dialect) -> None:
        self.text, self.mask = bytearray(), bytearray()
        self.offset, self.length, self.kind, self.template = [0], list[int](), list[int](), list[int]()
        for prefix in dialect.prefixes:
            for name, kind in CLOSING.items():
                self._add(b"</" + prefix + name, kind)
        for number, one in enumerate(dialect.templates):
            self._add(one.text, one.kind, number, one.wild)
        for prefix in dialect.prefixes:
            self._add(b"<" + prefix + b"record", Kind.RECORD)
            self._add(b"</" + prefix + b"record", Kind.RECORD_END)

    def _add(self, text: bytes, kind: Kind, template: int = -1, wild: frozenset[int] = frozenset()) -> None:
        fill = -len(text) % 8
        self.text += text + b"\0" * fill
        self.mask += bytes(0 if place in wild else 255 for place in range(len(text))) + b"\0" * fill
        self.offset.append(len(self.text))
        self.length.append(len(text))
        self.kind.append(kind)
        self.template.append(template)


def tokens(library: ctypes.CDLL, buffer: Ints, end: int, dialect: Dialect) -> tuple[Ints, Ints, Ints]:
    """Places of all `<` in buffer[:end]; the Kind of each; its number among the dialect's templates, or -1."""
    patterns = _Patterns(dialect)
    counting = iso2709.functions()
    assert counting is not None  # or there would be no `library`
    most = iso2709.counted(counting, buffer, end, ord("<"))
    at, kind, template = np.empty(most, np.int64), np.empty(most, np.int8), np.empty(most, np.int8)
    text, mask = (np.frombuffer(bytes(data), np.uint8) for data in (patterns.text, patterns.mask))
    offset, length = (np.array(numbers, np.int32) for numbers in (patterns.offset, patterns.length))
    kinds, templates = (np.array(numbers, np.int8) for numbers in (patterns.kind, patterns.template))
    given = (text, mask, offset, length, kinds, templates, at, kind, template)
    library.tokens(_at(buffer), ctypes.c_int64(end), ctypes.c_int64(len(patterns.kind)), *(_at(array) for array in given))
    return at, kind, template


def misplaced(library: ctypes.CDLL, kind: Ints, may_follow: Bools) -> Ints:
    """spans.misplaced, compiled."""
    kinds, where = np.ascontiguousarray(kind), np.empty(len(kind), np.int64)
    count = int(library.misplaced(_at(kinds), ctypes.c_int64(len(kinds)), _at(may_follow), _at(where)))
    return where[:count]


def _at(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def places(
    library: ctypes.CDLL,
    buffer: Ints,
    first: Ints,
    last: Ints,
    tokens: tuple[Ints, Ints, Ints],
    dialect: Dialect,
    wanted: Bools | None,
    below_010: bool,
) -> Places:
    """plain.places, compiled; it has looked through the texts as well. `tokens`: their places, kinds and templates."""
    at, kind, template = (np.ascontiguousarray(array) for array in tokens)
    begin, finish = np.ascontiguousarray(first, np.int64), np.ascontiguousarray(last, np.int64)
    most = int((finish - begin).sum())
    rec, key, seq = np.empty(most, np.int32), np.empty(most, np.uint32), np.empty(most, np.int32)
    ind1, ind2, code = np.empty(most, np.uint8), np.empty(most, np.uint8), np.empty(most, np.uint16)
    start, stop, flags, odd = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.uint8), np.empty(len(begin), np.uint8)
    where = np.array([_where(one) for one in dialect.templates], np.int32)
    length = np.array([len(one.text) for one in dialect.templates], np.int32)
    given = (begin, finish, at, kind, template, where, length)
    outputs: list[npt.NDArray[Any]] = [rec, key, seq, ind1, ind2, code, start, stop, flags, odd]
    only = None if wanted is None else _at(wanted)
    arguments = (*(_at(array) for array in given), only, int(below_010), *(_at(array) for array in outputs))
    count = int(library.rows(_at(buffer), ctypes.c_int64(len(begin)), *arguments))
    cut = slice(0, count)
    return Places(
        rec=rec[cut],
        key=key[cut],
        seq=seq[cut],
        ind1=ind1[cut],
        ind2=ind2[cut],
        code=code[cut],
        start=start[cut],
        stop=stop[cut],
        odd=np.flatnonzero(odd),
        flags=flags[cut],
    )


def _where(one: Template) -> list[int]:
    """Where the template has tag, indicators and code, and how wide the code is; -1 where it has none."""
    places = [one.places.get(name, (-1, 1)) for name in (b"tag", b"ind1", b"ind2", b"code")]
    return [*(place for place, _ in places), places[-1][1]]
