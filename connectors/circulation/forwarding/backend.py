"""A library system with store and forward before it: every kiosk is answered, and everything is told to the library system once.

While it is there, a request goes to it: the journal says that it is on its way, then what came of it, and only then the kiosk is answered.
While it is away, the policy decides, the journal has it, and it waits for `turn`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import structs

from connectors.circulation.admission import Accept, Admission, Discard, Enrol
from connectors.circulation.backend import Away, Remote, Unsure
from connectors.circulation.domain import Credentials, Item, Outcome, Patron, Request
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.forwarding import away as offline
from connectors.circulation.forwarding import overdue
from connectors.circulation.forwarding.breaker import Breaker
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.forwarding.lake import changes_of
from connectors.circulation.forwarding.policy import Policy
from connectors.circulation.forwarding.replay import clear, drain, followed, is_there, sure
from connectors.circulation.forwarding.report import live_report
from connectors.circulation.forwarding.resume import checkpointed, resumed
from connectors.circulation.forwarding.state import KEPT, Conflict, Json, State
from connectors.circulation.journal import Journal
from connectors.circulation.plain import kind_of, outcome_of, plain, said
from connectors.circulation.remote.known import RightPins
from include.engine import clock
from include.engine.crypto.keys import KeyStore

log = logging.getLogger("bindery.circulation")

PIN_SECONDS = 12 * 3600.0
"""How long a PIN that the library system has called right serves while it is away."""
CHECKPOINT = 5_000
CHECKPOINT_EVERY = timedelta(hours=12)
"""Entries, or time, after which the whole state is written down once: a start reads no further back, and what is older may be retired."""


class Forwarding:
    """See Backend. `turn` must be called every second or so: it asks whether the library system is back, and tells it what waits."""

    def __init__(
        self,
        remote: Remote,
        journal: Journal,
        state: State,
        copy: Copy,
        policy: Policy,
        folder: Path,
        *,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.remote, self.state, self.policy = remote, state, policy
        self._journal, self.copy, self._folder, self._now = journal, copy, folder, now
        self._away = offline.Away(policy, copy, state)
        self._pins = RightPins(PIN_SECONDS)
        self._under_way: dict[str, asyncio.Task[Outcome]] = {}
        self._checkpoint, self._checkpoint_at = 0, now()
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._turning = asyncio.Lock()
        self.breaker = Breaker(policy.breaker, now)

    async def patron(self, who: Credentials, *, whole: bool = True) -> Patron | None:
        """See Backend. Never Away: while the library system is, the copy or the card answers."""
        if self.breaker.state == "closed":
            try:
                found: Patron | None = await sure(self.remote.patron(who, whole=whole))
                self.breaker.answered()
            except Away as error:
                self.breaker.failed(error)
            else:
                if found is not None and found.pin_right and who.pin:
                    self._pins.keep(who.card, who.pin)
                return found
        found = await self._away.patron(who)
        if found is not None and found.pin_right is None and who.pin and self._pins.known(who.card, who.pin):
            return structs.replace(found, pin_right=True)
        return found

    async def item(self, item: str) -> Item | None:
        """See Backend."""
        if self.breaker.state == "closed":
            try:
                found: Item | None = await sure(self.remote.item(item))
                self.breaker.answered()
            except Away as error:
                self.breaker.failed(error)
            else:
                return found
        return self._away.item(item)

    async def known(self, key: str) -> bool:
        """See Backend."""
        return bool(key) and (key in self._under_way or key in self.state.done or key in self.state.asking)

    async def online(self) -> bool:
        """See Backend: whether machines are served, be it without the library system."""
        return self.breaker.state == "closed" or bool(self.policy.services)

    async def admit(self, request: Admission) -> Outcome:
        """See Admitting. Taking in is never accepted while the library system is away: nobody stands at a machine and waits for it."""
        return await self.perform(request)

    async def perform(self, request: Request | Admission) -> Outcome:
        """See Backend. The same key again, even while the first is under way, gets the same outcome."""
        key = request.key
        if not key:
            return await asyncio.shield(self._begun(request))
        if key in self._under_way:
            return structs.replace(await asyncio.shield(self._under_way[key]), again=True)
        if (known := self.state.done.get(key)) is not None:
            await self._journal.settled()  # the first time may still be on its way to the disk
            return outcome_of(known[1], again=True)
        task = self._under_way[key] = self._begun(request)
        task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    def _begun(self, request: Request | Admission) -> asyncio.Task[Outcome]:
        """In a task of its own: a machine that hangs up leaves nothing half done."""
        task = asyncio.ensure_future(self._perform(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _perform(self, request: Request | Admission) -> Outcome:
        card = request.patron.card if hasattr(request, "patron") else ""
        # What waits for this patron or item must not be overtaken; a service that is never accepted does not wait.
        behind = kind_of(request) in self.policy.services and self.state.touches(card, getattr(request, "item", ""))
        tried = self.state.asking.get(request.key) or ""
        if behind or self.breaker.state != "closed":
            return await self._offline(request, tried)
        try:
            outcome, tried = await self._live(request, tried)
        except Unsure as error:
            self.breaker.failed(error)
            return await self._unsure(request, tried or self._now().isoformat(), error)
        except Away as error:
            self.breaker.failed(error)
            return await self._offline(request, tried)
        self.breaker.answered()
        if outcome.ok:
            self.breaker.done(kind_of(request))
        return outcome

    async def _live(self, request: Request | Admission, tried: str) -> tuple[Outcome, str]:
        """Ask the library system; a request that was on its way when this process ended is looked up first."""
        if tried:
            found = await sure(self.remote.happened(request, datetime.fromisoformat(tried)))
            if found is not None:
                return await self._finished(request, found), tried
        elif request.key:
            await self._journaled({"kind": "asking", "key": request.key})
        if isinstance(request, Accept | Discard | Enrol):
            return await self._finished(request, await sure(self.remote.admit(request))), tried
        asked = followed(self.remote, self.state, request, self._now)
        return await self._finished(request, await sure(self.remote.perform(asked))), tried

    async def _unsure(self, request: Request | Admission, since: str, error: Unsure) -> Outcome:
        """It may be done. The library system's state tells; when that cannot be read or says no, it waits, and is looked up again then."""
        log.warning("%s of terminal %s: %s", kind_of(request), request.terminal, error.what)
        try:
            found = await sure(self.remote.happened(request, datetime.fromisoformat(since)))
        except Away as away:
            self.breaker.failed(away)
            found = None
        if found is not None:
            return await self._finished(request, found)
        return await self._offline(request, since)

    async def _finished(self, request: Request | Admission, outcome: Outcome) -> Outcome:
        """Write down what came of it. A refusal changes nothing, so nobody waits for the disk."""
        entry: Json = {
            "kind": kind_of(request), "asked": plain(request), "ok": outcome.ok, "reason": outcome.reason, "said": said(outcome),
            **changes_of(request, outcome, self._now()),
        }  # fmt: skip
        if request.key:
            entry["key"] = request.key
        if report := live_report(request, outcome, self.terms.zone):
            entry["report"] = report
        durable = self._append(entry)
        if outcome.ok or report:
            await durable
        return outcome

    async def _offline(self, request: Request | Admission, tried: str = "") -> Outcome:
        """What the policy makes of it while the library system is away, or while something before it still waits.

        `tried`: since when it may have been done; what is refused then is looked up once the library system is there (replay.clear).
        """
        known: Any = request
        if hasattr(request, "patron") and request.patron.pin and self._pins.known(request.patron.card, request.patron.pin):
            known = structs.replace(known, patron=Credentials(request.patron.card))  # it was right when it could still be asked
        outcome = await self._away.decide(known, self._now(), self.breaker.away_since)
        if not outcome.ok:
            if tried and not isinstance(request, Accept | Discard | Enrol):  # whoever asks for these asks again
                doubt: Json = {"kind": "doubted", "of": kind_of(request), "asked": plain(request), "said": said(outcome), "tried": tried}
                await self._journaled(doubt)
            if outcome.reason == "AWAY":
                raise Away("the library system is away, and the policy does not accept this meanwhile")
            return outcome
        entry: Json = {"kind": "accepted", "of": kind_of(request), "asked": plain(request), "said": said(outcome)}
        if request.key:
            entry["key"] = request.key
        if tried:
            entry["tried"] = tried
        await self._journaled(entry)
        return outcome

    async def turn(self) -> int:
        """Ask whether the library system is back, when it is time for that, and tell it what waits. Returns how many were told."""
        async with self._turning:
            told = await self._turned()
            await overdue.tell(self.state, self.breaker.state == "closed", self._journaled, self.policy, self._now)
            return told

    async def _turned(self) -> int:
        if self.breaker.state == "open":
            return 0
        if self.breaker.state == "half open":
            if not await is_there(self.remote):
                self.breaker.failed()
                return 0
            log.warning("the library system is back; %d transactions wait for it", len(self.state.waiting))
            self.breaker.answered()
        told = await drain(self.remote, self.state, self.breaker, self._journaled, self._changes, self.policy, self._now, self.terms.zone)
        if self.breaker.state == "closed":
            await clear(self.remote, self.state, self.breaker, self._journaled, self._changes, self.policy, self._now)
        self.state.forget(self._now() - KEPT)
        await self._checkpoint_now_and_then()
        return told

    async def _checkpoint_now_and_then(self) -> None:
        fresh = self.state.applied - self._checkpoint
        if fresh >= CHECKPOINT or (fresh and self._now() - self._checkpoint_at >= CHECKPOINT_EVERY):
            await self.checkpoint()

    @property
    def committed(self) -> int:
        """Up to which entry the journal is not needed here any more."""
        return max(self._checkpoint - 1, 0)

    async def checkpoint(self) -> None:
        """Write the whole state down as one entry."""
        self._checkpoint_at = self._now()
        self._checkpoint = await self._journaled({"kind": "forwarding", "state": self.state.snapshot()})
        checkpointed(self._folder, self._checkpoint)

    @property
    def terms(self) -> Terms:
        """The library's own terms, by which a loan is due while the library system is away."""
        return self.copy.terms

    @terms.setter
    def terms(self, terms: Terms) -> None:
        self.copy.terms = terms

    def conflicts(self) -> list[Conflict]:
        """What staff have to look at, in order."""
        return list(self.state.conflicts.values())

    async def close_conflict(self, number: int) -> bool:
        """Staff have dealt with it. False when there is no such conflict."""
        if number not in self.state.conflicts:
            return False
        await self._journaled({"kind": "closed", "number": number})
        return True

    async def close(self) -> None:
        """Keep everything and end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.checkpoint()
        await self.remote.close()
        self.copy.close()
        self._journal.close()

    def _changes(self, request: Request, outcome: Outcome) -> Json:
        return changes_of(request, outcome, self._now())

    def _append(self, entry: Json) -> asyncio.Future[int]:
        entry = {"at": self._now().isoformat(timespec="seconds"), "changes": [], **entry}
        durable = self._journal.append(entry)
        self.state.apply(self._journal.newest, entry)
        durable.add_done_callback(_noticed)
        return durable

    async def _journaled(self, entry: Json) -> int:
        return await self._append(entry)


def _noticed(durable: asyncio.Future[Any]) -> None:
    """Nobody may be waiting for it; a failed journal says so at the next append."""
    if not durable.cancelled():
        durable.exception()


def opened(
    folder: Path, keys: KeyStore, remote: Remote, copy: Copy, policy: Policy, *, now: Callable[[], datetime] = clock.now
) -> Forwarding:
    """The forwarding of a folder, with all that waits in its journal."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = keys.ensure("journal", folder.name)
    journal = Journal(folder / "journal", keys, key, another=lambda: keys.create("journal", folder.name))
    state = resumed(folder, keys)
    found = Forwarding(remote, journal, state, copy, policy, folder, now=now)
    if state.waiting:
        log.warning("%d transactions wait for the library system", len(state.waiting))
    return found
