"""The bytes of one damaged record into its fields, repaired where that puts no value under a wrong tag, and refused where it might.

In this order: by the directory, where it and the field terminators agree (its entries may stand in any order, as ISO 2709 allows); by the
terminators, where the directory's numbers do not fit but tags and fields can be told apart (align.py). What was done is said, by reason code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from include.marc.batch import LEADER_LENGTH
from include.marc.build import Issue
from include.marc.errors import Unreadable
from include.marc.iso2709.align import aligned
from include.marc.iso2709.pieces import BETWEEN

END_OF_FIELD = b"\x1e"
DELIMITER = b"\x1f"
ENTRY = 12
#: How a data field begins: two indicators and a subfield.
GOOD = re.compile(rb"[\x20-\x7e]{2}\x1f")
#: With more tags that are none, too little of the record is left to be taken in.
MOST_BAD_TAGS = 2


class Field(NamedTuple):
    """`tag` has three bytes. `plain`: `data` is the text of a control field; else two indicators, and subfields each after a delimiter."""

    tag: bytes
    data: bytes
    plain: bool


@dataclass(frozen=True)
class Repaired:
    """A record: 24 bytes of printable ASCII, and fields as a clean record could have them, but for their length and number."""

    leader: bytes
    fields: tuple[Field, ...]
    issues: tuple[Issue, ...]


def repair(raw: bytes, repairs: tuple[str, ...], *, subfields_below_010: bool) -> Repaired:
    """Read one record's bytes. `repairs` are the reasons that are known already. Raises Unreadable.

    A record without issues is a good one that only does not look like most: its directory is in another order than its fields.
    """
    if len(raw) <= LEADER_LENGTH + 1:
        raise Unreadable("MARC_TRUNCATED")
    issues = [Issue(reason) for reason in repairs]
    found = by_directory(raw)
    if found is None:
        found, detail = _by_terminators(raw)
        issues.append(Issue("MARC_DIRECTORY_WRONG", detail))
    leader = bytes(byte if 32 <= byte < 127 else 32 for byte in raw[:LEADER_LENGTH])
    if leader != raw[:LEADER_LENGTH]:
        issues.append(Issue("MARC_LEADER_CHARACTER"))
    fields = tuple(_field(tag, data, seq, issues, subfields_below_010) for seq, (tag, data) in enumerate(found, start=1))
    if sum(issue.reason == "MARC_TAG_INVALID" for issue in issues) > MOST_BAD_TAGS:
        raise Unreadable("MARC_DIRECTORY_INVALID", "tags that are none")
    return Repaired(leader, fields, tuple(issues))


Tagged = list[tuple[bytes, bytes]]


def by_directory(raw: bytes) -> Tagged | None:
    """Fields at the places that the directory names, in its order; None if anything there disagrees with the field terminators."""
    base = int(raw[12:17]) if raw[12:17].isdigit() else 0
    directory = raw[LEADER_LENGTH : base - 1]
    if base <= LEADER_LENGTH + 1 or base > len(raw) or raw[base - 1 : base] != END_OF_FIELD or len(directory) % ENTRY:
        return None
    found: Tagged = []
    covered: list[tuple[int, int]] = []
    for at in range(0, len(directory), ENTRY):
        numbers = directory[at + 3 : at + ENTRY]
        if not numbers.isdigit():
            return None
        length, start = int(numbers[:4]), base + int(numbers[4:])
        end = start + length
        if length < 1 or end > len(raw) or raw.find(END_OF_FIELD, start, end) != end - 1:
            return None
        covered.append((start, end))
        found.append((directory[at : at + 3], raw[start : end - 1]))
    covered.sort()
    chained = covered[0][0] == base and all(end == start for (_, end), (start, _) in pairwise(covered))
    return found if chained and not raw[covered[-1][1] :].strip(BETWEEN + b"\x1d") else None


def _by_terminators(raw: bytes) -> tuple[Tagged, str | None]:
    """Fields by their terminators, with the directory's tags; what was found of the directory, in words."""
    stop = raw.find(END_OF_FIELD, LEADER_LENGTH)
    if stop < 0:
        raise Unreadable("MARC_DIRECTORY_INVALID", "no end of the directory")
    parts = raw[stop + 1 :].rstrip(b"\x1d" + BETWEEN).split(END_OF_FIELD)
    if not parts[-1]:
        parts.pop()
    return aligned(raw[LEADER_LENGTH:stop], parts)


def _field(tag: bytes, data: bytes, seq: int, issues: list[Issue], subfields_below_010: bool) -> Field:
    """The field in good form."""
    if tag.isdigit() and tag >= b"010" and GOOD.match(data):
        return Field(tag, data, plain=False)
    if not tag.isalnum() or not tag.isascii():
        issues.append(Issue("MARC_TAG_INVALID", f"bytes {tag.hex(' ')}", seq))
        tag = bytes(byte if 32 < byte < 127 or byte > 160 else 63 for byte in tag)
    below_010, divided = tag < b"010" and tag.isdigit(), DELIMITER in data
    if not divided and (below_010 or not tag.isdigit()):
        return Field(tag, data, plain=True)
    if below_010 and not subfields_below_010:
        if data[2:3] != DELIMITER:
            return Field(tag, data, plain=True)  # a delimiter somewhere in the text: taken out as the control character that it is
        issues.append(Issue("MARC_CONTROL_FIELD_DIVIDED", None, seq))
    head, mark, rest = data.partition(DELIMITER)
    if len(head) != 2 or not _printable(head):
        if divided or len(head) < 2:
            issues.append(Issue("MARC_INDICATORS_WRONG", f"{len(head)} bytes before the first subfield", seq))
        head = (head if _printable(head[:2]) else b"  " + head[2:]).ljust(2)
    if not divided:
        issues.append(Issue("MARC_FIELD_EMPTY", None, seq))
    return Field(tag, head + mark + rest, plain=False)


def _printable(head: bytes) -> bool:
    return all(32 <= byte < 127 for byte in head)
