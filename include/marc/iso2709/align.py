"""A directory and the fields behind it, where they do not agree: which tag goes with which field.

A value must never come under a wrong tag. So a difference is mended only where lengths and places show what happened: a field terminator too
many or too few, a length or place misstated, a directory that lost or gained some bytes, entries out of order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from include.marc.errors import Unreadable

END_OF_FIELD = b"\x1e"
ENTRY = 12
#: By so many more or fewer fields than entries we do not ask what happened.
MOST_SLACK = 5
Tagged = list[tuple[bytes, bytes]]


def aligned(directory: bytes, parts: Sequence[bytes]) -> tuple[Tagged, str | None]:
    """(tag, data) of each field, and in words what was wrong. `parts` are the fields as their terminators part them. Raises Unreadable."""
    if not parts or not directory:
        raise Unreadable("MARC_DIRECTORY_INVALID", "no fields")
    if len(directory) % ENTRY == 0:
        entries = _in_order([directory[at : at + ENTRY] for at in range(0, len(directory), ENTRY)])
        fields = _by_length([_length(entry) for entry in entries], parts)
        if fields is not None:
            named = zip((entry[:3] for entry in entries), fields, strict=True)
            return list(named), None if len(fields) == len(parts) else _differ(entries, parts)
        raise Unreadable("MARC_DIRECTORY_INVALID", _differ(entries, parts))
    tags = _tags_around_numbers(directory, parts)
    if tags is not None:
        return list(zip(tags, parts, strict=True)), f"a directory of {len(directory)} bytes for {len(parts)} fields"
    raise Unreadable("MARC_DIRECTORY_INVALID", f"a directory of {len(directory)} bytes for {len(parts)} fields")


def _differ(entries: Sequence[bytes], parts: Sequence[bytes]) -> str:
    return f"{len(entries)} entries, {len(parts)} fields"


def _in_order(entries: list[bytes]) -> list[bytes]:
    """Entries in the order of their fields, where their starting places form a chain.

    In a record over 99,999 bytes the places wrap around, and say nothing; so do damaged ones. Then the order given is the best that there is.
    """
    by_place = sorted(entries, key=lambda entry: entry[7:])
    if not all(entry[3:].isdigit() for entry in by_place):
        return entries
    chained = all(int(one[7:]) + int(one[3:7]) == int(after[7:]) for one, after in pairwise(by_place))
    return by_place if chained else entries


def _length(entry: bytes) -> int:
    return int(entry[3:7]) if entry[3:7].isdigit() else 0


def _by_length(lengths: Sequence[int], parts: Sequence[bytes]) -> list[bytes] | None:
    """A field for each length (with its terminator; 0 if unreadable); None where it is not clear which is which.

    The cheapest way through entries and parts. A part under an entry of its length costs nothing; one step of damage costs 1: a length
    misstated; two parts of exactly the entry's length (a terminator inside the field); one part of exactly two entries' lengths (a terminator
    overwritten, or lost). As many parts as entries are taken in their order if no other way is cheaper; else the cheapest way must be the only one.
    """
    entries, slack = len(lengths), abs(len(lengths) - len(parts)) + 1
    if slack > MOST_SLACK:
        return None
    sizes = [len(part) + 1 for part in parts]
    # (entries, parts) done -> cost, how many ways there are at that cost, entries and parts of the last step
    best: dict[tuple[int, int], tuple[int, int, tuple[int, int]]] = {(0, 0): (0, 1, (0, 0))}
    for one in range(entries + 1):
        for other in range(max(0, one - slack), min(len(parts), one + slack) + 1):
            if (one, other) not in best:
                continue
            cost, ways, _ = best[one, other]
            for step in _steps(lengths[one : one + 2], sizes[other : other + 2]):
                place, more = (one + step[0], other + step[1]), cost + step[2]
                known = best.get(place)
                if known is None or more < known[0]:
                    best[place] = (more, ways, (step[0], step[1]))
                elif more == known[0]:
                    preferred = (step[0], step[1]) if step[0] == step[1] else known[2]
                    best[place] = (more, min(known[1] + ways, 2), preferred)
    end = best.get((entries, len(parts)))
    if end is None or (end[1] > 1 and entries != len(parts)):
        return None
    return _along(best, lengths, parts)


def _steps(lengths: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Possible next steps: so many entries, so many parts, the cost."""
    if lengths and sizes:
        yield 1, 1, int(lengths[0] != sizes[0])
        if len(sizes) > 1 and lengths[0] == sizes[0] + sizes[1]:
            yield 1, 2, 1
        if len(lengths) > 1 and min(lengths) > 1 and sizes[0] in (sum(lengths), sum(lengths) - 1):
            yield 2, 1, 1


def _along(best: dict[tuple[int, int], tuple[int, int, tuple[int, int]]], lengths: Sequence[int], parts: Sequence[bytes]) -> list[bytes]:
    """The fields by the best way, which is followed from its end."""
    one, other = len(lengths), len(parts)
    fields: list[bytes] = []
    while one or other:
        entries, taken = best[one, other][2]
        one, other = one - entries, other - taken
        whole = END_OF_FIELD.join(parts[other : other + taken])
        if entries == 2:
            fields += [whole[len(whole) + 1 - lengths[one + 1] :], whole[: lengths[one] - 1]]
        else:
            fields.append(whole)
    return fields[::-1]


def _tags_around_numbers(directory: bytes, parts: Sequence[bytes]) -> list[bytes] | None:
    """The tags of a directory that lost or gained bytes: the fields show which nine digits each entry had, and the tag stands before them.

    None if more than two entries do not have their digits, or tags and digits do not follow each other.
    """
    numbers, place = [], 0
    for part in parts:
        numbers.append(b"%04d%05d" % (len(part) + 1, place))
        place += len(part) + 1
    tags: list[bytes] = []
    damaged = at = 0
    for index, number in enumerate(numbers):
        found = directory.find(number, at, at + ENTRY + 2)
        if found >= 0 and found - at in (2, 3, 4):
            tags.append(directory[at:found][:3].ljust(3, b"?"))
            at = found + len(number)
            continue
        damaged += 1
        tags.append(directory[at : at + 3])
        behind = directory.find(numbers[index + 1], at) if index + 1 < len(numbers) else len(directory) + 3
        at = behind - 3
        if damaged > 2 or behind < 0 or len(tags[-1]) != 3:
            return None
    return tags if 0 <= len(directory) - at <= 2 else None
