"""Showing what a value looks like without showing it: for messages, receipts and logs."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.engine.privacy import numbers

LONGEST = 40
LONGEST_NOTE = 500
DOT = "•"


def shape(value: object) -> str:
    """A value's shape: `010190-123x` is `######-###x`, `Anne Holm` is `Xxxx Xxxx`. At most 40 characters; "" for None.

    So a librarian sees what is wrong with a number (too short, a letter in it) and nobody sees whose it is.
    """
    if value is None:
        return ""
    text = str(value)
    shown = "".join("#" if c.isnumeric() else _letter(c) if c.isalpha() else c for c in text[:LONGEST])
    return shown if len(text) <= LONGEST else f"{shown[:-1]}…"


def shapes(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """`shape` of each value of a column of strings; null where null."""
    cut = pc.utf8_slice_codeunits(values, 0, LONGEST)
    masked = pc.replace_substring_regex(cut, r"\p{N}", "#")
    masked = pc.replace_substring_regex(masked, r"\p{Lu}", "X")
    masked = pc.replace_substring_regex(masked, r"[^\P{L}X]", "x")
    long = pc.greater(pc.utf8_length(values), LONGEST)
    return pc.if_else(long, pc.binary_join_element_wise(pc.utf8_slice_codeunits(masked, 0, LONGEST - 1), "…", ""), masked)


def mask(text: str, *, signed: bool = False) -> str:
    """`text` with each identity number in it dotted out: `Lånt af 010190-1234` is `Lånt af ••••••-••••`.

    `signed`: only those written with their sign, for a text that is known to hold a code (a barcode, a control number).
    """
    plain: str = numbers.normal(pa.array([text], pa.large_string()))[0].as_py()
    found = numbers.find(pa.array([plain]), signed=signed)
    if not len(found.row):
        return text
    data, parts, at = plain.encode(), [], 0
    for start, end in zip(found.start.tolist(), found.end.tolist(), strict=True):
        if start < at:  # inside a number that was dotted out already
            continue
        parts += [data[at:start].decode(), re.sub(r"\d", DOT, data[start:end].decode())]
        at = end
    return "".join([*parts, data[at:].decode()])


def noted(text: str) -> str:
    """A person's own words as the ledger may hold them: one line, without identity numbers."""
    return mask(" ".join(text.split()))[:LONGEST_NOTE]


def masked(value: Any, *, identity: bool) -> str:
    """How a message may show a value: its shape where its column says who someone is, else itself with identity numbers dotted out."""
    return shape(value) if identity else mask(str(value))[: 2 * LONGEST]


def _letter(letter: str) -> str:
    return "X" if letter.isupper() else "x"
