"""Telling the library system afterwards: in order, each transaction once, whatever happens in between.

Before a transaction is sent, the journal says so. When it is not known whether the last try was done (a time-out, a 500, a kill), the
library system's own state is read first, and only what is not found there is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from connectors.circulation.backend import Away, Odd, Remote, Unread, Unsure
from connectors.circulation.domain import Checkin, Outcome, Request
from connectors.circulation.forwarding.breaker import Breaker
from connectors.circulation.forwarding.policy import Policy
from connectors.circulation.forwarding.report import AFTER_ALL, FAILS, report_of
from connectors.circulation.forwarding.state import Json, State, Waiting
from connectors.circulation.plain import request_of, said
from connectors.circulation.remote.system import SKEW
from include.engine.errors import BinderyError
from include.engine.failpoints import point

log = logging.getLogger("bindery.circulation")

MOST_FAILING = 5
"""So many that fail are tried in one turn: enough to find one that does not, and no load for a library system that takes no changes."""
T = TypeVar("T")
Journaled = Callable[[Json], Awaitable[int]]
Changes = Callable[[Request, Outcome], Json]


async def drain(
    remote: Remote,
    state: State,
    breaker: Breaker,
    journaled: Journaled,
    changes: Changes,
    policy: Policy,
    now: Callable[[], datetime],
    zone: ZoneInfo,
) -> int:
    """Replay what waits, in order, until something fails or the library system goes away again. Returns how many were told.

    Past what has failed `tries` times the others go, but for what has to do with it.
    """
    count = failing = 0
    behind: set[tuple[str, Any]] = set()
    for waiting in list(state.waiting.values()):
        about = _about(waiting)
        if about & behind:
            behind |= about  # what follows this one follows that one, too
            continue
        if _settled_down(waiting, policy, now):
            try:
                outcome = await _told(remote, waiting, followed(remote, state, late(waiting), now), journaled)
            except Away as error:
                breaker.failed(error)
                # What was not reached has not failed: a part of the system may be away for an hour (Koha's SIP2 server) while the rest is there.
                if not isinstance(error, Unsure | Odd) or not await is_there(remote):
                    return count
                await journaled({"kind": "failed", "number": waiting.number, "why": error.what})
                outcome = Outcome(False, FAILS)
            if outcome.reason != FAILS or _for_staff(waiting, breaker, policy, now):
                if outcome.ok:
                    breaker.done(waiting.kind)
                breaker.answered()
                breaker.over(waiting.number)
                await _settled(waiting, outcome, journaled, changes, zone)
                count += 1
                continue
        failing += 1
        if waiting.tries < policy.tries or failing == MOST_FAILING:
            return count
        breaker.answered()
        behind |= about
    return count


def _for_staff(waiting: Waiting, breaker: Breaker, policy: Policy, now: Callable[[], datetime]) -> bool:
    """Whether it is this one transaction that fails: others of its kind were done since it failed last. As long as none is, the library system
    is at fault (it takes no changes, or none of these), and all wait for it, as they do while it is away."""
    alone = breaker.alone(waiting.number, waiting.kind)
    too_long = now() - datetime.fromisoformat(waiting.tried) >= timedelta(hours=policy.hours)
    return waiting.tries >= policy.tries and (alone or too_long)


def _about(waiting: Waiting) -> set[tuple[str, Any]]:
    """The patron, copy, title and hold that it is about."""
    return {(name, waiting.asked[name]) for name in ("patron", "item", "title", "hold") if waiting.asked.get(name)}


async def clear(
    remote: Remote, state: State, breaker: Breaker, journaled: Journaled, changes: Changes, policy: Policy, now: Callable[[], datetime]
) -> None:
    """Look up what machines were told "no" to though it may have been done. Where it was, staff get both sides; and where it cannot be looked
    up though the library system is there, they get it after `tell_minutes`, and meanwhile it holds up no other."""
    failing = 0
    for one in list(state.doubts.values()):
        if not _settled_down(one, policy, now):
            continue
        request = request_of(one.kind, one.asked)
        try:
            found = await sure(remote.happened(request, datetime.fromisoformat(one.tried)))
        except Away as error:
            failing += 1
            if not await is_there(remote):
                breaker.failed(error)
                return
            one.last = now().isoformat()
            if now() - datetime.fromisoformat(one.at) >= timedelta(minutes=policy.tell_minutes):
                found = Outcome(False, FAILS)
                log.warning("whether transaction %d was done cannot be looked up: %s", one.number, error.what)
            elif failing < MOST_FAILING:
                continue
            else:
                return
        breaker.answered()
        if one.number in state.doubts:  # the machine may have asked again meanwhile
            entry: Json = {"kind": one.kind, "asked": one.asked, "ok": False, "reason": "", "said": one.said, "cleared": one.number}
            if found is not None:
                entry |= changes(request, found)
                entry["report"] = {"reason": AFTER_ALL if found.ok else found.reason, "said": one.said, "found": said(found)}
                if found.ok:
                    log.warning("transaction %d was done though its machine was told no", one.number)
            await journaled(entry)


def _settled_down(waiting: Waiting, policy: Policy, now: Callable[[], datetime]) -> bool:
    """Whether the last try is so long ago that the library system is not still at it."""
    return not waiting.last or now() - datetime.fromisoformat(waiting.last) >= timedelta(seconds=policy.settle_seconds)


def followed(remote: Remote, state: State, request: Request, now: Callable[[], datetime]) -> Request:
    """Where the library system lets a loan begin when it is told, what followed it at the machine follows it there too."""
    happened, told = state.told.get(getattr(request, "item", ""), ("", ""))
    if remote.backdates or not request.no_block or not told:
        return request
    when = getattr(request, "returned", None) or request.at
    if not datetime.fromisoformat(happened) <= when <= datetime.fromisoformat(told) + SKEW:
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


async def _settled(waiting: Waiting, outcome: Outcome, journaled: Journaled, changes: Changes, zone: ZoneInfo) -> None:
    entry: Json = {
        "kind": waiting.kind, "asked": waiting.asked, "ok": outcome.ok, "reason": outcome.reason, "said": said(outcome),
        "replayed": waiting.number, **changes(late(waiting), outcome),
    }  # fmt: skip
    if waiting.reported:
        entry["closes"] = waiting.reported
    if report := report_of(waiting, outcome, zone):
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
        raise Unread(f"the library system's answer could not be read ({type(error).__name__})") from error
