"""Another library's copy, once its records are made: it is checked in where it came, so that it waits for its patron or goes on to them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from connectors.circulation.admission import Accept
from connectors.circulation.backend import Away
from connectors.circulation.domain import Checkin, Hold, Outcome

log = logging.getLogger("bindery.circulation")


async def arrived(asked: Accept, check_in: Callable[[Checkin], Awaitable[Outcome]], hold: Hold) -> Hold:
    """The hold as it is then. Where the check-in fails the copy is taken in all the same: staff check it in, as any copy that arrives."""
    try:
        done = await check_in(Checkin(asked.terminal, asked.at, asked.branch, item=asked.item))
    except Away as error:
        log.warning("another library's copy was taken in and could not be checked in, which staff must do: %s", error.what)
        return hold
    return replace(hold, ready=done.hold.ready) if done.hold else hold
