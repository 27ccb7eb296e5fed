"""Against guessing PINs: after some wrong ones a card is not tried again for a while, at that terminal.

It is the terminal that is locked out for the card, not the card: who keeps typing wrong PINs on somebody's card at one machine must not keep
its owner from borrowing at another. Only a card that is tried at many machines is locked at all of them, and later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from msgspec.structs import replace

from connectors.circulation.backend import Backend
from connectors.circulation.domain import Credentials, Item, Outcome, Patron, Request

HERE, EVERYWHERE = 5, 25
FORGET_SECONDS = 900.0
REMEMBERED = 50_000


class Lockout:
    """Wrong PINs by card and place, for a quarter of an hour each. Cards are kept as the keyed hash that Python itself makes."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[int, list[float]] = OrderedDict()

    def locked(self, card: str, terminal: str) -> bool:
        """Whether no PIN of this card is to be tried here now."""
        return self._count(card, terminal) >= HERE or self._count(card, "") >= EVERYWHERE

    def wrong(self, card: str, terminal: str) -> None:
        """A wrong PIN was tried."""
        for place in (terminal, ""):
            key = hash((card, place))
            self._wrong.setdefault(key, []).append(self._now())
            self._wrong.move_to_end(key)
        while len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)

    def right(self, card: str, terminal: str) -> None:
        """The right PIN was given here: what was wrong before was a slip."""
        self._wrong.pop(hash((card, terminal)), None)

    def _count(self, card: str, place: str) -> int:
        found = self._wrong.get(hash((card, place)))
        if not found:
            return 0
        since = self._now() - FORGET_SECONDS
        found[:] = [at for at in found if at > since]
        return len(found)


class Guarded:
    """A back end as one terminal may use it: guessing PINs ends."""

    def __init__(self, backend: Backend, lockout: Lockout, terminal: str) -> None:
        self._backend, self._lockout, self._terminal = backend, lockout, terminal
        self._counted: Credentials | None = None

    def patron(self, who: Credentials, *, whole: bool = True) -> Coroutine[Any, Any, Patron | None]:
        """See Backend. While locked out, every PIN is answered as wrong, and none is checked."""
        return self._patron(who, whole=whole) if who.pin else self._backend.patron(who, whole=whole)

    async def _patron(self, who: Credentials, *, whole: bool) -> Patron | None:
        if self._lockout.locked(who.card, self._terminal):
            found = await self._backend.patron(Credentials(who.card), whole=whole)
            return replace(found, pin_right=False) if found else None
        found = await self._backend.patron(who, whole=whole)
        if found is not None and found.pin_right is not None:
            if found.pin_right:
                self._lockout.right(who.card, self._terminal)
            else:
                self._wrong(who)
        return found

    def item(self, item: str) -> Coroutine[Any, Any, Item | None]:
        """See Backend."""
        return self._backend.item(item)

    def perform(self, request: Request) -> Coroutine[Any, Any, Outcome]:
        """See Backend."""
        who: Credentials | None = getattr(request, "patron", None)
        return self._perform(request, who) if who is not None and who.pin else self._backend.perform(request)

    async def _perform(self, request: Request, who: Credentials) -> Outcome:
        if self._lockout.locked(who.card, self._terminal):
            if request.no_block:  # it is done already, and is taken in without that its PIN be tried
                return await self._backend.perform(replace(request, patron=Credentials(who.card)))
            return Outcome(False, "PIN_LOCKED")
        outcome = await self._backend.perform(request)
        if outcome.reason == "PIN_WRONG":
            self._wrong(who)
        return outcome

    def _wrong(self, who: Credentials) -> None:
        """Once for a message, however often the back end is asked for it: all that one asks has the very same credentials."""
        if who is not self._counted:
            self._counted = who
            self._lockout.wrong(who.card, self._terminal)

    def known(self, key: str) -> Coroutine[Any, Any, bool]:
        """See Backend."""
        return self._backend.known(key)

    def online(self) -> Coroutine[Any, Any, bool]:
        """See Backend."""
        return self._backend.online()
