"""A record's bytes as they are: beside each other in hexadecimal and as text, a bounded stretch of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.records.masks import Masks, free_of_numbers

MOST = 4_096
ROW = 16
_VALUES = re.compile(r"[\n\x1d\x1e]|\x1f.?", re.DOTALL)  # a MARC subfield's code would touch its number


@dataclass(frozen=True)
class Raw:
    """`rows`: (place, hexadecimal, text). `size`: bytes of the whole record; `masked`: the rows are withheld until they are revealed."""

    rows: tuple[tuple[str, str, str], ...]
    size: int
    shown: int
    masked: bool = False


def show(raw: bytes, size: int, masks: Masks) -> Raw:
    """The first bytes of a record. Withheld until revealed where they name a person or might: bytes that nobody can read are withheld whole."""
    part = raw[:MOST]
    if not masks.reveal and not _free(raw, masks):
        return Raw((), size, len(part), masked=True)
    rows = [part[at : at + ROW] for at in range(0, len(part), ROW)]
    return Raw(tuple((f"{n * ROW:06x}", row.hex(" "), _text(row)) for n, row in enumerate(rows)), size, len(part))


def _free(raw: bytes, masks: Masks) -> bool:
    """Whether the bytes may be seen: nothing in this hand-off is about a person, they are text, and no identity number is in them."""
    if not masks.writing.anyone:
        return False
    part = raw[: MOST + 64]  # a number may begin within and end without
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(part) - 3:  # more than a character that the cut went through
            return False
        text = part[: error.start].decode("utf-8")
    return all(free_of_numbers(piece) == piece for piece in _VALUES.split(text))


def _text(row: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in row)
