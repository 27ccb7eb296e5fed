"""What was learnt a moment ago: a kiosk asks three times about the same patron within seconds, and types the PIN in once."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

LARGEST = 5_000
Value = TypeVar("Value")


class Known(Generic[Value]):
    """Values by key for some seconds. Who asks while the same is being fetched waits for that one call."""

    def __init__(self, seconds: float, *, largest: int = LARGEST, now: Callable[[], float] = monotonic) -> None:
        self._seconds, self._largest, self._now = seconds, largest, now
        self._kept: OrderedDict[str, tuple[float, Value]] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Value]] = {}

    def get(self, key: str) -> Value | None:
        """What is known and not too old."""
        found = self._kept.get(key)
        return found[1] if found is not None and found[0] > self._now() else None

    def keep(self, key: str, value: Value) -> None:
        """Know it from now on."""
        self._kept[key] = (self._now() + self._seconds, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._largest:
            self._kept.popitem(last=False)

    def drop(self, *keys: str) -> None:
        """It has changed. What is being fetched just now is not kept either."""
        for key in keys:
            self._kept.pop(key, None)
            self._under_way.pop(key, None)

    def clear(self) -> None:
        """Nothing is known any more."""
        self._kept.clear()
        self._under_way.clear()

    async def of(self, key: str, fetch: Callable[[], Awaitable[Value]]) -> Value:
        """What is known, or else what `fetch` brings. Its error goes to everybody who waits, and is not kept."""
        found = self.get(key)
        if found is not None:
            return found
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(_awaited(fetch))
            task.add_done_callback(lambda done: self._fetched(key, done))
        return await asyncio.shield(task)  # who gives up waiting does not end it for the others

    def _fetched(self, key: str, task: asyncio.Task[Value]) -> None:
        if self._under_way.get(key) is not task:
            return
        del self._under_way[key]
        if not task.cancelled() and task.exception() is None and task.result() is not None:
            self.keep(key, task.result())


async def _awaited(fetch: Callable[[], Awaitable[Value]]) -> Value:
    return await fetch()


class RightPins:
    """PINs that the library system has called right, as HMAC-SHA-256 under a key of this process alone, for a while."""

    def __init__(self, seconds: float = 60.0, *, now: Callable[[], float] = monotonic) -> None:
        self._key = secrets.token_bytes(32)
        self._known: Known[bool] = Known(seconds, largest=10_000, now=now)

    def known(self, card: str, pin: str) -> bool:
        """Whether this PIN was right a moment ago."""
        return self._known.get(self._mark(card, pin)) is True

    def keep(self, card: str, pin: str) -> None:
        """It was right now."""
        self._known.keep(self._mark(card, pin), True)

    async def right(self, card: str, pin: str, check: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it is right: as it was a moment ago, or as `check` says. A wrong one is not remembered."""

        async def fetch() -> bool | None:
            return await check() or None

        return await self._known.of(self._mark(card, pin), fetch) is True  # type: ignore[arg-type]  # None is not kept

    def _mark(self, card: str, pin: str) -> str:
        return hmac.digest(self._key, f"{card}\0{pin}".encode(), "sha256").hex()
