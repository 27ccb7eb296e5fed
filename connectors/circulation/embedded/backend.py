"""The embedded back end: decide by the rules, change the store, and answer once the journal has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from connectors.circulation.admission import Admission, Enrol
from connectors.circulation.backend import Away
from connectors.circulation.domain import (
    Block,
    Checkin,
    Checkout,
    Credentials,
    Item,
    Note,
    Outcome,
    Patron,
    Pay,
    Renew,
    Request,
    Reserve,
)
from connectors.circulation.embedded import admitting, desk_work, lending
from connectors.circulation.embedded.decision import Decision, Desk
from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.fillfile import Fill
from connectors.circulation.embedded.filling import again
from connectors.circulation.embedded.remembered import as_before, remembered
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.store import Change, Store, store_of
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.embedded.views import item_view, patron_view, seconds, text
from connectors.circulation.journal import Journal, before, read
from connectors.circulation.pins import Pins, hashed, outdated
from connectors.circulation.plain import KINDS, plain
from include.engine import clock
from include.engine.crypto.keys import KeyStore

log = logging.getLogger("bindery.circulation")
KEPT_SECONDS = timedelta(hours=26)
"""How long a request is known again: a machine that was off overnight still repeats itself."""

_A_COMMIT = 10_000
"""Entries that are brought in at once after a crash."""
_REPEATED = 10_000
"""Refusals that staff were told of, as many as are known again."""

_DECIDE: dict[type, Callable[[Desk, Any], Decision]] = {
    Checkout: lending.checkout,
    Checkin: lending.checkin,
    Renew: lending.renew,
    Reserve: desk_work.reserve,
    Pay: desk_work.pay,
    Block: desk_work.block,
    Note: desk_work.note,
}


class Embedded:
    """The store, its journal and its rules. One event loop uses it; nothing here waits but for the journal and for PINs."""

    def __init__(
        self, store: Store, journal: Journal, rules: Rules, folder: Path, keys: KeyStore, *, now: Callable[[], datetime] = clock.now
    ) -> None:
        self.store, self._journal, self._now = store, journal, now
        self.terms = Terms(rules)
        self.pins = Pins()
        self.committed = store.applied
        self.tap: list[tuple[int, dict[str, Any]]] | None = None
        """While a new store is made: the entries that come meanwhile, so that none is missing in it."""
        self._folder, self._keys = folder, keys
        self._reported: dict[str, None] = {}

    async def patron(self, who: Credentials, *, whole: bool = True) -> Patron | None:
        """See Backend."""
        row = self.store.patron_of(who.card)
        if row is None:
            return None
        return patron_view(self.store, self.terms, row, who.card, pin_right=await self._pin_right(row, who.pin), whole=whole)

    async def item(self, item: str) -> Item | None:
        """See Backend."""
        row = self.store.get("item", item)
        return item_view(self.store, row) if row else None

    async def known(self, key: str) -> bool:
        """See Backend."""
        return bool(key) and self.store.get("done", key) is not None

    async def online(self) -> bool:
        """See Backend."""
        try:
            self.store.get("patron", "")
        except Away:
            return False
        return True

    async def perform(self, request: Request) -> Outcome:
        """See Backend. An outcome that is not ok changes nothing, and is written down only where staff must look at it."""
        who, wrong = getattr(request, "patron", None), False
        if who is not None and who.pin:
            row = self.store.patron_of(who.card)
            wrong = row is not None and await self._pin_right(row, who.pin) is False
            if wrong and not request.no_block:
                return Outcome(False, "PIN_WRONG")
        if isinstance(request, Reserve) and await desk_work.of_no_title(self.store, request):
            return Outcome(False, "TITLE_UNKNOWN")
        if request.key and (known := self.store.get("done", request.key)):
            await self._journal.settled()  # the first time may still be on its way to the disk
            return as_before(self.store, self.terms, known)
        now = self._now()
        decision = _DECIDE[type(request)](Desk(self.store, self.terms, now), request)
        if wrong and decision.changes and not decision.conflict:  # it is done, and staff must know by whom it may not have been
            decision = replace(decision, conflict="PIN_WRONG")
        if decision.changes or (decision.conflict and self._to_be_told(request, decision)):
            await self._kept(request, decision, seconds(now))
        return decision.outcome

    async def admit(self, request: Admission) -> Outcome:
        """See Admitting. The journal has what was admitted in its changes."""
        pin = request.patron.pin if isinstance(request, Enrol) else None
        kept = await asyncio.to_thread(hashed, pin) if pin else None
        if request.key and (known := self.store.get("done", request.key)):
            await self._journal.settled()
            return as_before(self.store, self.terms, known)
        decision = admitting.decide(Desk(self.store, self.terms, self._now()), request, kept)
        if decision.changes:
            done = {"key": request.key, "at": seconds(self._now()), "outcome": remembered(decision.outcome)}
            asked = {"terminal": request.terminal, "at": request.at.isoformat(), "branch": request.branch, "key": request.key}
            entry = {"kind": admitting.KINDS[type(request)], "asked": asked, "ok": True, "reason": ""}
            await self._journaled(entry, [*decision.changes, ["done", done]])
        return decision.outcome

    async def close_conflict(self, number: int) -> bool:
        """Staff have dealt with it. False when there is no such conflict."""
        if self.store.get("conflict", number) is None:
            return False
        await self._journaled({"kind": "closed", "number": number}, [["-conflict", number]])
        return True

    async def keep_pin(self, who: str, pin: str) -> bool:
        """Keep a PIN (its hash) of the patron with this card or number. False where there is none."""
        row = self.store.patron_of(who) or self.store.get("patron", who)
        if row is not None and row["pin"] != pin:
            await self._journaled({"kind": "pin"}, [["patron", row | {"pin": pin}]])
        return row is not None

    async def _pin_right(self, row: Row, pin: str | None) -> bool | None:
        if pin is None or row["pin"] is None:
            return None
        right = await self.pins.right(pin, row["pin"])
        if right and outdated(row["pin"]):
            kept = await asyncio.to_thread(hashed, pin)
            patron = self.store.get("patron", row["patron"])
            if patron is not None and patron["pin"] == row["pin"]:  # as it is by now: a block may have come while the PIN was looked at
                await self._journaled({"kind": "pin"}, [["patron", patron | {"pin": kept}]])
        return right

    def _to_be_told(self, request: Request, decision: Decision) -> bool:
        """Whether staff do not know of it yet: a machine says what it was refused again and again, and it is one conflict."""
        if decision.outcome.ok or not request.key:
            return True
        known = request.key in self._reported
        self._reported[request.key] = None
        if len(self._reported) > _REPEATED:
            del self._reported[next(iter(self._reported))]
        return not known

    def _kept(self, request: Request, decision: Decision, at: int) -> asyncio.Future[int]:
        outcome, changes = decision.outcome, list(decision.changes)
        entry = {"kind": KINDS[type(request)], "asked": plain(request), "ok": outcome.ok, "reason": outcome.reason}
        if before := [loan for name, key in changes if name == "-loan" and (loan := self.store.get("loan", key))]:
            entry["before"] = before  # which loan it was that ends here: journal's readers have no store
        if outcome.patron is not None:
            entry["patron"] = outcome.patron.patron
        if request.key and outcome.ok:
            changes.append(["done", {"key": request.key, "at": at, "outcome": remembered(outcome)}])
        if decision.conflict:
            entry["conflict"] = decision.conflict
        return self._journaled(entry, changes, at)

    def _journaled(self, entry: dict[str, Any], changes: list[Change], at: int | None = None) -> asyncio.Future[int]:
        """Change the store and the journal in one go (nothing else runs between); what comes back is to be waited for: the disk."""
        entry["at"], entry["changes"] = text(seconds(self._now()) if at is None else at), changes
        durable = self._journal.append(entry)
        if self.tap is not None:
            self.tap.append((self._journal.newest, entry))
        try:
            apply(self.store, self._journal.newest, entry)
        except Away as away:  # it is done all the same: `open_again` brings it in, and nothing is decided before that
            log.error("the store is away: %s", away)
        return durable

    async def settled(self) -> None:
        """Return once everything that was done so far is durable."""
        await self._journal.settled()

    def commit(self) -> None:
        """Bring the store's file up to now. Short, and never ahead of the journal."""
        self._journal.flush()
        self.store.forget(seconds(self._now() - KEPT_SECONDS))
        self.store.commit()
        self.committed = self.store.applied

    async def commit_behind(self) -> None:
        """The same, while machines are answered: the file is written in another thread, up to what was done when it was begun."""
        self.store.forget(seconds(self._now() - KEPT_SECONDS))
        behind = self.store.behind()
        if behind is None:
            self.commit()
            return
        if behind.applied == self.committed:
            return
        await self._journal.settled()
        await asyncio.to_thread(self.store.write, behind)
        self.store.written(behind)
        self.committed = max(self.committed, behind.applied)

    def change_over(self, made: Store, fill: Fill) -> None:
        """Go on with a store that was made of a fill, and what came while it was made (`tap`). Nothing else runs meanwhile."""
        self.commit()  # so that the store is all there if the change fails
        self.store.replace(made)
        for number, entry in self.tap or ():
            if number > self.store.applied:
                again(self.store, fill, number, entry, known=False)
                self.store.applied = number
        self.store.commit()
        self.committed = self.store.applied

    def open_again(self) -> None:
        """Connect to the store afresh, and bring in what it missed. Away while that cannot be."""
        self._journal.flush()
        self.store.open_again()
        try:
            _catch_up(self.store, self._folder, self._keys, self._journal.newest)
        except BaseException:
            self.store.close()  # nothing may be decided on rows that lack some
            raise

    def close(self, *, keep: bool = True) -> None:
        """Keep everything and end; without `keep`, what was not committed is left to the journal."""
        if keep:
            try:
                self.commit()
            except Away as away:
                log.error("the store is away: %s What it lacks is brought in at the next start.", away)
        self.pins.close()
        self._journal.close()
        self.store.close()


def apply(store: Store, number: int, entry: dict[str, Any]) -> None:
    """Make an entry's changes in the store, and note what staff must look at."""
    store.apply(entry["changes"])
    if entry.get("conflict"):
        store.note_conflict(number, entry)
    store.applied = number


def opened(folder: Path, keys: KeyStore, rules: Rules, *, now: Callable[[], datetime] = clock.now) -> Embedded:
    """The back end of a folder: what the journal has and the store lacks is brought in first."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # First, for it says when another process is at work here. Each segment has a key of its own: journal/retiring.py destroys it.
    key = keys.ensure("journal", folder.name)
    journal = Journal(folder / "journal", keys, key, another=lambda: keys.create("journal", folder.name))
    store = store_of(folder)
    _catch_up(store, folder, keys, journal.newest)
    return Embedded(store, journal, rules, folder, keys, now=now)


def _catch_up(store: Store, folder: Path, keys: KeyStore, newest: int) -> None:
    """What the journal has and the store lacks; `newest` is its last entry. A store that knows of later ones was written beside another journal:
    it counts from this one on, or what comes now would be taken for known after the next kill."""
    if store.applied > newest:
        log.warning(
            "the store knows of entry %d, and the journal ends with %d: it was made anew, or comes from a copy", store.applied, newest
        )
        store.applied = newest
    for number, entry in read(folder / "journal", keys, after=store.applied or before(folder / "journal")):
        apply(store, number, entry)
        if number % _A_COMMIT == 0:
            store.commit()
    store.commit()
