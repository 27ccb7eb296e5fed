"""The lines of a block of delimited text, judged by their bytes before anything is decoded.

A clean line has the right number of delimiters, no byte that its character set forbids, and quotes only where quotes belong. Nearly all
lines are clean and go to Arrow's own CSV reader as they are; each other line goes through `damaged.py`, by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
LF, CR = 10, 13
FORMULA = b"=@"


@dataclass(frozen=True)
class Lines:
    """Line i of a block is `starts[i]:ends[i]` without its line end, and `starts[i]:nexts[i]` with it.

    `blank` lines hold nothing; `clean` ones may be parsed as they are; `open` ones have an odd number of quotes.
    """

    starts: Ints
    ends: Ints
    nexts: Ints
    blank: Bools
    clean: Bools
    open: Bools

    def __len__(self) -> int:
        return len(self.starts)


def line_end(sample: bytes) -> int:
    """The byte that ends lines: LF, or CR alone in a file that has no LF at all."""
    return CR if b"\r" in sample and b"\n" not in sample else LF


def split(data: bytes, *, fields: int, delimiter: int, quote: int, utf8: bool, header: bytes = b"", end: int = LF) -> Lines:
    """Find and judge the lines of `data`, whose last line need not be ended. `fields` is what a line should hold; one
    that holds the `header` again is not clean."""
    block = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(block == end)
    nexts = breaks + 1
    if not len(nexts) or nexts[-1] != len(data):
        nexts, breaks = np.append(nexts, len(data)), np.append(breaks, len(data))
    starts = np.concatenate(([0], nexts[:-1]))
    ends = breaks
    if end == LF and b"\r" in data:
        ends = breaks - ((breaks > starts) & (block[np.maximum(breaks - 1, 0)] == CR))
    blank = ends <= starts
    clean, odd = _delimiters(data, block, starts, ends, blank, fields, delimiter, quote)
    for line in np.flatnonzero(~clean & ~blank & (ends - starts <= 3)):  # blanks, or the Ctrl-Z with which old systems end a file
        blank[line] = not data[starts[line] : ends[line]].strip(b" \t\r\x1a")
    suspect = np.zeros(len(starts), np.bool_)
    for positions in (_forbidden(data, block, end), _formulas(data, block, starts, delimiter, quote), _places(data, header)):
        if len(positions):
            suspect[np.searchsorted(nexts, positions, side="right")] = True
    if utf8 and not data.isascii() and not _is_utf8(data):
        suspect |= _not_utf8(data, block, starts, nexts)
    return Lines(starts, ends, nexts, blank, clean & ~suspect, odd)


def _delimiters(
    data: bytes, block: npt.NDArray[np.uint8], starts: Ints, ends: Ints, blank: Bools, fields: int, delimiter: int, quote: int
) -> tuple[Bools, Bools]:
    """(lines with the right number of delimiters outside quotes, lines with an odd number of quotes)."""
    found = np.flatnonzero(block == delimiter)
    wanted = fields - 1
    quoted = bytes([quote]) in data
    if not quoted:
        none = np.zeros(len(starts), np.bool_)
        if wanted and len(found) == wanted * len(starts):
            table = found.reshape(len(starts), wanted)
            if bool(((table[:, 0] >= starts) & (table[:, -1] < ends)).all()):
                return ~none, none
        return (np.diff(np.searchsorted(found, np.append(starts, len(block)))) == wanted) & ~blank, none
    is_quote = block == quote
    quotes = np.flatnonzero(is_quote)
    bounds = np.append(starts, len(block))
    first = np.searchsorted(quotes, bounds)
    odd = (np.diff(first) & 1).astype(np.bool_)
    # A delimiter is inside quotes when an odd number of them stands between it and the start of its line. Counting modulo 256 keeps the parity.
    in_line = np.diff(np.searchsorted(found, bounds))
    before_line = np.repeat(first[:-1].astype(np.uint8), in_line)
    inside = ((np.cumsum(is_quote, dtype=np.uint8)[found] ^ before_line) & 1).astype(np.bool_)
    line = np.repeat(np.arange(len(starts)), in_line)
    count = np.bincount(line[~inside], minlength=len(starts)) if inside.any() else in_line
    # A quote belongs at an edge of a field (or doubled inside one); where it stands in the middle, only reading the line tells.
    is_edge = np.zeros(256, np.bool_)
    is_edge[[delimiter, LF, CR, quote]] = True
    padded = np.concatenate(([np.uint8(LF)], block, [np.uint8(LF)]))
    stray = ~(is_edge[padded[quotes]] | is_edge[padded[quotes + 2]])
    clean = (count == wanted) & ~odd & ~blank
    if stray.any():
        clean[np.searchsorted(bounds, quotes[stray], side="right") - 1] = False
    return clean, odd


def _places(data: bytes, text: bytes) -> Ints:
    """Where a text begins."""
    found, at = [], data.find(text) if text else -1
    while at >= 0:
        found.append(at)
        at = data.find(text, at + len(text))
    return np.array(found, np.int64)


def _forbidden(data: bytes, block: npt.NDArray[np.uint8], end: int) -> Ints:
    """Where NUL bytes stand, and CRs that end no line."""
    found: list[Ints] = []
    if b"\0" in data:
        found.append(np.flatnonzero(block == 0))
    if end == LF and b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        returns = np.flatnonzero(block == CR)
        after = block[np.minimum(returns + 1, len(block) - 1)]
        found.append(returns[(after != LF) & (returns + 1 < len(block))])
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _formulas(data: bytes, block: npt.NDArray[np.uint8], starts: Ints, delimiter: int, quote: int) -> Ints:
    """Where a field begins with `=` or `@`: what a spreadsheet would take for a formula."""
    found: list[Ints] = []
    for sign in FORMULA:
        if bytes([sign]) not in data:
            continue
        places = np.flatnonzero(block == sign)
        for back in (1, 2):
            before = block[np.maximum(places - back, 0)]
            begins = (before == delimiter) | (before == LF) | (before == CR) | (places - back < 0)
            if back == 2:
                begins &= block[np.maximum(places - 1, 0)] == quote
            found.append(places[begins])
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _not_utf8(data: bytes, block: npt.NDArray[np.uint8], starts: Ints, nexts: Ints) -> Bools:
    """Which lines are no UTF-8; only those with a byte above 127 are tried."""
    wrong = np.zeros(len(starts), np.bool_)
    for line in np.unique(np.searchsorted(nexts, np.flatnonzero(block >= 128), side="right")):
        wrong[line] = not _is_utf8(data[starts[line] : nexts[line]])
    return wrong
