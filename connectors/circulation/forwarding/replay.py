"""Telling the library system afterwards: in order, each transaction once, whatever happens in between.

Before a transaction is sent, the journal says so. When it is not known whether the last try was done (a time-out, a 500, a kill), the
library system's own state is read first, and only what is not found there is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from connectors.circulation.backend import Away, Remote, Unsure
from connectors.circulation.domain import Checkin, Outcome, Request
from connectors.circulation.forwarding.breaker import Breaker
from connectors.circulation.forwarding.policy import Policy
from connectors.circulation.forwarding.report import FAILS, report_of
from connectors.circulation.forwarding.state import Json, State, Waiting
from connectors.circulation.plain import request_of, said
from include.engine.errors import BinderyError
from include.engine.failpoints import point

log = logging.getLogger("bindery.circulation")

T = TypeVar("T")
Journaled = Callable[[Json], Awaitable[int]]
Changes = Callable[[Request, Outcome], Json]


async def drain(
    remote: Remote, state: State, breaker: Breaker, journaled: Journaled, changes: Changes, policy: Policy, now: Callable[[], datetime]
) -> int:
    """Replay what waits until nothing does, or the library system goes away again. Returns how many were told."""
    count = 0
    while state.waiting:
        waiting = next(iter(state.waiting.values()))
        if waiting.last and now() - datetime.fromisoformat(waiting.last) < timedelta(seconds=policy.settle_seconds):
            return count
        try:
            outcome = await _told(remote, waiting, _late(remote, state, waiting, now), journaled)
        except Away:
            waiting.tries += 1
            breaker.failed()
            # Fails by itself though the system answers: staff get it, so that it does not hold up the others.
            if waiting.tries < policy.tries or not await is_there(remote):
                return count
            outcome = Outcome(False, FAILS)
        breaker.answered()
        await _settled(waiting, outcome, journaled, changes)
        count += 1
    return count


def _late(remote: Remote, state: State, waiting: Waiting, now: Callable[[], datetime]) -> Request:
    """As `late`; where the library system lets a loan begin when it is told, what followed it at the machine follows it there too."""
    request = late(waiting)
    if remote.backdates or waiting.asked.get("item") not in state.told:
        return request
    at = now()
    return replace(request, at=at, returned=at) if isinstance(request, Checkin) else replace(request, at=at)


async def _told(remote: Remote, waiting: Waiting, request: Request, journaled: Journaled) -> Outcome:
    if waiting.tried:
        found = await sure(remote.happened(request, datetime.fromisoformat(waiting.tried)))
        if found is not None:
            return found
    await journaled({"kind": "sending", "number": waiting.number})
    point("forwarding.sending")
    outcome = await sure(remote.perform(request))
    point("forwarding.sent")
    return outcome


async def _settled(waiting: Waiting, outcome: Outcome, journaled: Journaled, changes: Changes) -> None:
    entry: Json = {
        "kind": waiting.kind, "asked": waiting.asked, "ok": outcome.ok, "reason": outcome.reason, "said": said(outcome),
        "replayed": waiting.number, **changes(late(waiting), outcome),
    }  # fmt: skip
    if report := report_of(waiting, outcome):
        entry["report"] = report
        log.warning("transaction %d did not fit what the library system has: %s", waiting.number, report["reason"])
    await journaled(entry)


def late(waiting: Waiting) -> Request:
    """The request as it is told late: it has happened, at the time of the machine's or of ours."""
    request = request_of(waiting.kind, waiting.asked)
    at = request.at if request.no_block else datetime.fromisoformat(waiting.at)
    more: dict[str, Any] = (
        {"due": datetime.fromisoformat(waiting.said["due"])} if waiting.said.get("due") and waiting.kind in ("checkout", "renew") else {}
    )
    if waiting.kind == "checkin":
        more["returned"] = getattr(request, "returned", None) if request.no_block else at
    return replace(request, no_block=True, at=at, **more)


async def is_there(remote: Remote) -> bool:
    """Whether the library system answers."""
    try:
        return await sure(remote.online())
    except Away:
        return False


async def sure(asked: Awaitable[T]) -> T:
    """An answer that could not be read (a fault of ours, or an odd answer) leaves open what was done, and stops nothing else."""
    try:
        return await asked
    except BinderyError:
        raise
    except Exception as error:
        log.exception("an answer of the library system could not be read")
        raise Unsure(f"the library system's answer could not be read ({type(error).__name__})") from error
