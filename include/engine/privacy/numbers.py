"""Finding identity numbers in text: Danish, Swedish, Dutch and Belgian ones, and the numbers of library cards.

What counts, so that a title or a shelf mark with digits in it is left alone:

| kind | found |
|---|---|
| cpr | 010190-1234, 010190 1234, 0101901234: a real day of birth, with or without modulus 11 |
| personnummer | 900101-1239, 19900101-1239, with + or without a sign: a real day and the Luhn digit |
| bsn | nine digits that pass the eleven test, and are named (BSN, sofinummer) or all that the value holds |
| rijksregisternummer | 90.01.01-123.45, 900101-123.45, 90010112345 with its control number |
| card | 14 digits that begin with 2 and have their Luhn digit (3 is the barcode of an item) |

A number must stand alone: digits that are part of a longer number (ISBN-13, EAN, +45..., 12.50) or touch a letter (a pseudonym, a shelf
mark) are no identity number. A number without a sign is none either where a word before it says what else it is (ISBN, ISSN, EAN, tlf,
OCLC, faust...), nor where its day is 61 to 91 and it is a ten-digit ISBN by its check digit: Danish, Dutch and Swedish ISBNs begin with 87,
90 and 91. What is left by chance: of random ten-digit numbers, one in 14 has a date that fits; so columns of barcodes and control numbers
are not examined at all (`guard.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from include.engine import clock
from include.engine.privacy import checks

KINDS = ("personnummer", "cpr", "rijksregisternummer", "card", "bsn")
_OTHER = re.compile(
    rb"(isbn|issn|ismn|ean|gtin|tlf|tel|telefon|phone|fax|mobil|oclc|lccn|faust|ppn|cvr|orgnr|kvk|iban|doi)[^0-9a-z]{0,6}$", re.I
)
_NAMED_BSN = re.compile(rb"(bsn|burgerservice\w*|sofi\w*)[^0-9]{0,12}$", re.I)
# Supersets of the shapes below, for RE2, which sees each byte once: most values end here.
_SIGNED = (
    r"[0-9]{6}[-+ ‐‑–—\x{a0}][0-9]{3}|[0-9]{2}[.][0-9]{2}[.][0-9]{2}[-. ‐‑–—][0-9]{3}|[0-9]{4}[.][0-9]{2}[.]|[0-9]{3}[ .][0-9]{3}[ .][0-9]"
)
_PERHAPS = f"[0-9]{{9}}|{_SIGNED}"
_LINE = (pa.scalar("", pa.large_string()), pa.scalar("\n", pa.large_string()))
_SHORTEST, _SHORTEST_SIGNED = 9, 11  # bytes of the shortest shapes: a BSN, and one with its signs (a CPR with its sign too)
_LOOK_BACK = 24  # bytes in which a word before a number counts


@dataclass(frozen=True)
class Shape:
    """Runs of digits of these lengths, with one of the given signs between each two."""

    kind: str
    runs: tuple[int, ...]
    signs: tuple[bytes, ...] = ()


SHAPES = (
    Shape("cpr", (10,)),
    Shape("cpr", (6, 4), (b"- ",)),
    Shape("personnummer", (10,)),
    Shape("personnummer", (6, 4), (b"-+",)),
    Shape("personnummer", (12,)),
    Shape("personnummer", (8, 4), (b"-+ ",)),
    Shape("rijksregisternummer", (11,)),
    Shape("rijksregisternummer", (6, 5), (b"- ",)),
    Shape("rijksregisternummer", (6, 3, 2), (b"- ", b"-. ")),
    Shape("rijksregisternummer", (2, 2, 2, 3, 2), (b".", b".", b"-. ", b".")),
    Shape("card", (14,)),
    Shape("bsn", (9,)),
    Shape("bsn", (4, 2, 3), (b".", b".")),
    Shape("bsn", (3, 3, 3), (b" .", b" .")),
)


@dataclass(frozen=True)
class Found:
    """Identity numbers found: for each its row, where it begins and ends in that row's value (bytes of UTF-8, as `normal` writes it), and
    the index of its kind in KINDS. Sorted by row and start; one number is named once, by the first kind that it fits.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    kind: NDArray[np.int64]


def find(values: pa.Array | pa.ChunkedArray, kinds: Collection[str] = KINDS, *, signed: bool = False) -> Found:
    """Every identity number in `values` (strings, or dictionary-encoded strings) that is of one of `kinds`.

    `signed`: only those written with their sign, as nobody writes a barcode or a control number (and no CPR with 60 added to its day:
    870970-1234 is DBC's agency number and something more).
    """
    text = plain(values)
    length = pc.binary_length(text)
    enough = _SHORTEST_SIGNED if signed else _SHORTEST
    if (pc.max(length).as_py() or 0) < enough:
        return _found([])
    long = np.flatnonzero(pc.greater_equal(length, enough).fill_null(False).to_numpy(zero_copy_only=False))
    matches = pc.match_substring_regex(text if len(long) == len(text) else text.take(pa.array(long)), _SIGNED if signed else _PERHAPS)
    perhaps = long[matches.to_numpy(zero_copy_only=False)]
    if not len(perhaps):
        return _found([])
    candidates = pc.binary_join_element_wise(normal(text.take(pa.array(perhaps))), *_LINE)  # a line each: no run of digits crosses rows
    offsets = np.frombuffer(candidates.buffers()[1], np.int64)[candidates.offset : candidates.offset + len(candidates) + 1]
    data = np.frombuffer(candidates.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    runs = _Runs(data)
    shapes = [shape for shape in SHAPES if shape.kind in kinds and (len(shape.runs) > 1 or not signed)]
    hits = [_hits(shape, runs, offsets - offsets[0], signed) for shape in shapes]
    found = _found(hits)
    row = np.searchsorted(offsets - offsets[0], found.start, side="right") - 1
    base = (offsets - offsets[0])[row]
    return Found(perhaps[row], found.start - base, found.end - base, found.kind)


def kind_of(values: pa.Array | pa.ChunkedArray, kinds: Collection[str] = KINDS, *, signed: bool = False) -> pa.Array:
    """The kind of the first identity number in each value, as a string; null where there is none."""
    found = find(values, kinds, signed=signed)
    first = np.unique(found.row, return_index=True)[1]
    picked = np.full(len(values), -1, dtype=np.int64)
    picked[found.row[first]] = found.kind[first]
    return pa.array(KINDS).take(pa.array(picked, mask=picked < 0))


def plain(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """`values` as one array of strings."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.large_string())


def normal(text: pa.Array) -> pa.Array:
    """`text` with every kind of dash as "-", and a space that does not break as " ": as numbers are written in running text."""
    dashed = pc.replace_substring_regex(text, "[‐‑–—]", "-")
    return pc.replace_substring_regex(dashed, r"\x{a0}", " ")


class _Runs:
    """The runs of digits in some bytes: where each begins and ends, and the byte before and after."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.data = data
        digit = np.zeros(len(data) + 2, dtype=np.int8)
        digit[1:-1] = (data - np.uint8(48)) < 10
        edges = np.diff(digit)
        self.start, self.end = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        self.length = self.end - self.start

    def byte(self, at: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The bytes at `at`; a newline outside."""
        inside = (at >= 0) & (at < len(self.data))
        return np.where(inside, self.data[np.clip(at, 0, len(self.data) - 1)], np.uint8(10))


def _hits(shape: Shape, runs: _Runs, offsets: NDArray[np.int64], signed: bool) -> tuple[Any, Any, int]:
    """Start and end of each number of this shape that stands alone and whose digits can be one."""
    count, last = len(shape.runs), len(runs.length) - len(shape.runs) + 1
    first = np.flatnonzero(runs.length[: max(0, last)] == shape.runs[0])
    for nth, (length, signs) in enumerate(zip(shape.runs[1:], shape.signs, strict=True), start=1):
        first = first[runs.length[first + nth] == length]
        before = runs.end[first + nth - 1]
        first = first[(runs.start[first + nth] - before == 1) & np.isin(runs.byte(before), np.frombuffer(signs, np.uint8))]
    start, end = runs.start[first], runs.end[first + count - 1]
    alone = _stands_alone(runs, start, end)
    first, start, end = first[alone], start[alone], end[alone]
    parts = [runs.start[first + nth][:, None] + np.arange(length) for nth, length in enumerate(shape.runs)]
    digits = (runs.data[np.concatenate(parts, axis=1)] - np.uint8(48)).astype(np.int64)
    good = np.flatnonzero(_can_be(shape, digits, signed))
    if count == 1 and len(good):
        good = good[[_unsigned_counts(shape.kind, runs.data, int(start[i]), int(end[i]), offsets) for i in good]]
    elif shape.kind == "bsn" and len(good):
        good = good[[_named_or_whole(runs.data, int(start[i]), int(end[i]), offsets) for i in good]]
    return start[good], end[good], KINDS.index(shape.kind)


def _stands_alone(runs: _Runs, start: NDArray[np.int64], end: NDArray[np.int64]) -> Any:
    before, after = runs.byte(start - 1), runs.byte(end)
    joined_before = np.isin(before, np.frombuffer(b"-./,", np.uint8)) & _is_digit(runs.byte(start - 2))
    joined_after = np.isin(after, np.frombuffer(b"-./,", np.uint8)) & _is_digit(runs.byte(end + 1))
    return ~(_is_letter(before) | (before == ord("+")) | _is_letter(after) | joined_before | joined_after)


def _is_digit(byte: NDArray[np.uint8]) -> Any:
    return (byte >= 48) & (byte <= 57)


def _is_letter(byte: NDArray[np.uint8]) -> Any:
    return ((byte | 32) >= 97) & ((byte | 32) <= 122) | (byte == ord("_"))


def _can_be(shape: Shape, digits: checks.Digits, signed: bool) -> Any:
    match shape.kind:
        case "cpr":
            fits = checks.cpr(digits, clock.now().year)
            elsewhere = checks.isbn10(digits) if len(shape.runs) == 1 else signed
            return fits & ~(checks.replacement(digits) & elsewhere)
        case "personnummer":
            if digits.shape[1] == 12:
                return checks.personnummer_12(digits)
            fits = checks.personnummer(digits)
            return fits & ~(checks.coordination(digits) & checks.isbn10(digits)) if len(shape.runs) == 1 else fits
        case "rijksregisternummer":
            return checks.rijksregisternummer(digits)
        case "card":
            return checks.card(digits)
        case _:
            return checks.bsn(digits)


def _unsigned_counts(kind: str, data: NDArray[np.uint8], start: int, end: int, offsets: NDArray[np.int64]) -> bool:
    if kind == "bsn":
        return _named_or_whole(data, start, end, offsets)
    return not _OTHER.search(_before(data, start))


def _named_or_whole(data: NDArray[np.uint8], start: int, end: int, offsets: NDArray[np.int64]) -> bool:
    row = int(np.searchsorted(offsets, start, side="right")) - 1
    whole = start == offsets[row] and end == offsets[row + 1] - 1
    return whole or _NAMED_BSN.search(_before(data, start)) is not None


def _before(data: NDArray[np.uint8], start: int) -> bytes:
    """The words just before a number, in its own row."""
    return data[max(0, start - _LOOK_BACK) : start].tobytes().rpartition(b"\n")[2]


def _found(hits: list[tuple[Any, Any, int]]) -> Found:
    start = np.concatenate([hit[0] for hit in hits] or [np.zeros(0, np.int64)])
    end = np.concatenate([hit[1] for hit in hits] or [np.zeros(0, np.int64)])
    kind = np.repeat([hit[2] for hit in hits] or [0], [len(hit[0]) for hit in hits] or [0])
    order = np.lexsort((kind, start))
    start, end, kind = start[order], end[order], kind[order]
    first = np.append(True, start[1:] != start[:-1])[: len(start)]
    return Found(np.zeros(int(first.sum()), np.int64), start[first], end[first], kind[first])
