"""How many requests a client may make: a bucket of tokens each, filled at a steady rate."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

CLIENTS = 10_000  # remembered at once; the longest silent is forgotten first


@dataclass
class Rate:
    """`second` requests a second and client over time, twice as many (at least two) at once; 0 is no limit."""

    second: float
    _held: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait(self, client: str, now: float) -> int:
        """0 when the client may go on, else after how many whole seconds it may ask again. `now` is monotonic."""
        if self.second <= 0:
            return 0
        most = max(2.0, 2 * self.second)
        held, at = self._held.pop(client, (most, now))
        held = min(most, held + (now - at) * self.second)
        allowed = held >= 1
        self._held[client] = (held - 1 if allowed else held, now)
        if len(self._held) > CLIENTS:
            self._held.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - held) / self.second))
