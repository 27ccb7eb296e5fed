"""Three bytes of a tag and its number in Tags, for a hundred thousand fields at once."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

from include.marc.batch import Bools, Ints, Tags
from include.marc.iso2709.directory import tag_index

ABOVE_ASCII = np.uint32(0x808080)
SIZE = 1 << 21


class TagNumbers:
    """Numbers of tags by their bytes; those met before are looked up in one table."""

    def __init__(self, tags: Tags) -> None:
        self.tags = tags
        self._table = np.full(SIZE, -1, np.int16)
        self._table[0] = 0  # the leader

    def of(self, key: Ints) -> Ints:
        """int16 numbers of these tags, each the three bytes as uint32, first byte lowest."""
        found = self._table[tag_index(key)]
        above = (key & ABOVE_ASCII) != 0
        if above.any():
            found[above] = [self.tags.number(_name(one)) for one in key[above].tolist()]
        if found.size and found.min() < 0:
            for one in np.unique(key[found < 0]).tolist():
                self._table[tag_index(np.array([one], np.uint32))] = self.tags.number(_name(one))
            return self.of(key)
        return found


def _name(key: int) -> str:
    return key.to_bytes(3, "little").decode("latin-1")


def wanted(fields: Collection[str]) -> Bools:
    """A table that says by `tag_index` whether a tag is among `fields`: `245`, `00X`, `6XX`."""
    table = np.zeros((128, 128, 128), np.bool_)  # by the third character, the second, the first
    for field in fields:
        if not re.fullmatch(r"[0-9A-Za-z]{3}", field):
            raise ValueError(f"{field!r} is no tag, such as 245 or 6XX")
        table[tuple(slice(None) if character == "X" else ord(character) for character in reversed(field))] = True
    return table.reshape(SIZE)
