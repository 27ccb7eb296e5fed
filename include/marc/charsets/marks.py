"""Diacritics: the older sets write them before their letter, Unicode behind it. Both ways, for joined text, without a loop over characters.

A diacritic with no letter (at the end of a value) gets U+00A0 to stand on, as The Unicode Standard (7.9) shows an isolated mark;
so it does not slip onto the letter before it. The way back takes that U+00A0 off again.
"""

from __future__ import annotations

import numpy as np

from include.marc.charsets.joined import SEPARATOR, codepoints, text_of

BASE = 0xA0
Points = np.ndarray[tuple[int], np.dtype[np.uint32]]


class Marks:
    """The diacritics of a character set, as a table for quick look-ups."""

    def __init__(self, characters: set[str]) -> None:
        self.characters = frozenset(characters)
        self._flags = np.zeros(0x10000, bool)
        for character in characters:
            self._flags[ord(character)] = True

    def at(self, points: Points) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which characters are diacritics."""
        return self._flags[np.minimum(points, 0xFFFF)]

    def behind(self, joined: str) -> str:
        """Each run of diacritics moved behind the character that follows it."""
        if self.characters.isdisjoint(joined):
            return joined
        points = codepoints(joined)
        mark = self.at(points)
        edge = points == SEPARATOR[0]
        bare = np.flatnonzero(mark & np.append(edge[1:], True)) + 1  # a run that ends where its value ends
        if len(bare):
            points = np.insert(points, bare, BASE)
            mark = self.at(points)
        place = np.arange(len(points))
        last = np.maximum.accumulate(np.where(mark, -1, place))  # the nearest character up to here that is no diacritic
        run = place - 1 - np.append(-1, last[:-1])  # how many diacritics stand right before each character
        moved = np.empty_like(points)
        moved[np.where(mark, place + 1, place - run)] = points
        return text_of(moved)

    def before(self, joined: str) -> str:
        """Each run of diacritics moved before the character that it follows; the U+00A0 of a bare run goes."""
        if self.characters.isdisjoint(joined):
            return joined
        points = codepoints(joined)
        mark = self.at(points)
        edge = points == SEPARATOR[0]
        orphan = np.flatnonzero(mark & np.append(True, edge[:-1]))  # a value that begins with a diacritic
        if len(orphan):
            points = np.insert(points, orphan, BASE)
            mark = self.at(points)
        place = np.arange(len(points))
        following = np.minimum.accumulate(np.where(mark, len(points), place)[::-1])[::-1]
        run = np.append(following[1:], len(points)) - 1 - place  # how many diacritics stand right behind each character
        closes = np.append(points == SEPARATOR[0], True)[np.minimum(place + run + 1, len(points))]  # nothing follows in the value
        bare = (points == BASE) & (run > 0) & closes
        order = np.where(mark, place - 1, place + run)
        moved, dropped = np.empty_like(points), np.empty(len(points), bool)
        moved[order], dropped[order] = points, bare
        return text_of(moved[~dropped])
