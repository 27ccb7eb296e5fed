"""What was looked at lately, as much of it as there is room for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

Key = str | int


class Recent:
    """Values by key. Two generations: when `most` are new, the new ones become the old ones, and what was old and not asked for is let go.

    `new` is public for who looks there first: nearly all that is asked for is in it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.new: dict[Key, Any] = {}
        self._old: dict[Key, Any] = {}

    def get(self, key: Key, default: Any) -> Any:
        """The value, or `default`."""
        if key in self.new:
            return self.new[key]
        if key in self._old:
            self.put(key, self._old[key])
            return self.new[key]
        return default

    def put(self, key: Key, value: Any) -> None:
        """Keep a value."""
        if len(self.new) >= self._most:
            self._old, self.new = self.new, {}
        self.new[key] = value

    def clear(self) -> None:
        """Let everything go."""
        self.new, self._old = {}, {}


class Known:
    """Keys that may be among the rows; one that is not here is surely not. A key is kept as its hash: eight bytes instead of a text.

    What was put before the last but one `turn` is let go. Above `most` keys everything may be there.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._new: set[int] = set()
        self._old: set[int] = set()
        self._whole = True

    @property
    def whole(self) -> bool:
        """Whether a key that is not here is surely not there."""
        return self._whole

    def __contains__(self, key: Key) -> bool:
        found = hash(key)
        return not self._whole or found in self._new or found in self._old

    def put(self, key: str) -> None:
        """A key is among the rows."""
        if self._whole and (found := hash(key)) not in self._new:
            self._new.add(found)
            if len(self._new) + len(self._old) > self._most:
                self.lose()

    def fill(self, keys: Iterable[Key]) -> None:
        """Put many keys; `keys` is read only as far as there is room."""
        self._new.update(map(hash, islice(keys, self._most + 1)))
        if len(self._new) + len(self._old) > self._most:
            self.lose()

    def turn(self) -> None:
        """Begin anew; what is new now is kept until the next turn."""
        self._old, self._new = self._new, set()

    def lose(self) -> None:
        """From now on everything may be there."""
        self._new, self._old, self._whole = set(), set(), False
