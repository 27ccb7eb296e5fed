"""The sidecar's own copy of patrons and items, where a site keeps one: who is blocked, what is whose, how long it is lent.

It is the embedded back end's store, filled in the same ways (`load`, and the DAG `circulation_fill` while the sidecar runs), and only read.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.circulation.backend import Away
from connectors.circulation.domain import Credentials, Item, Patron
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.store import Store, store_of
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.embedded.views import item_view, patron_view
from connectors.circulation.pins import Pins

log = logging.getLogger("bindery.circulation")


class Copy:
    """Without a store it knows nobody, and the rules' defaults say how long is lent. `tap`: see keeping.Filled; nothing is written meanwhile."""

    def __init__(self, rules: Rules, store: Store | None = None) -> None:
        self.terms, self._store, self._away = Terms(rules), store, False
        self._pins = Pins()
        self.tap: Any = None

    @classmethod
    def at(cls, folder: Path, rules: Rules) -> Copy:
        """The copy of a sidecar's folder; empty where nobody has filled it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(rules, store_of(folder, at_once=True))

    @property
    def store(self) -> Store:
        """The store. LookupError where there is none."""
        if self._store is None:
            raise LookupError("this copy has no store")
        return self._store

    async def settled(self) -> None:
        """See keeping.Filled: what the library system was told is not here."""

    def change_over(self, made: Store, _: object) -> None:
        """Go on with a store that was made of a fill."""
        self.store.replace(made)

    async def patron(self, who: Credentials) -> Patron | None:
        """A patron as the copy has them, with what they owed and had when it was made. While its store is away the copy knows nobody."""
        try:
            row = self._store.patron_of(who.card) if self._store else None
            if row is None:
                return None
            right = None if who.pin is None or row["pin"] is None else await self._pins.right(who.pin, row["pin"])
            return patron_view(self.store, self.terms, row, who.card, pin_right=right)
        except Away as away:
            self._gone(away)
            return None

    def item(self, barcode: str) -> Item | None:
        """A copy of a book as it was then."""
        try:
            row = self._store.get("item", barcode) if self._store else None
            return item_view(self.store, row) if row else None
        except Away as away:
            self._gone(away)
            return None

    async def keep_pin(self, who: str, pin: str) -> bool:
        """See pinfile.py: it serves while the library system, which knows better, is away. Away while a fill is made: it would not be in it."""
        if self.tap is not None:
            raise Away("a new store is being made")
        row = self.store.patron_of(who) or self.store.get("patron", who)
        if row is not None and row["pin"] != pin:
            self.store.amend("patron", row["patron"], {"pin": pin})
            self.store.commit()
        return row is not None

    async def look(self) -> None:
        """Connect afresh to a store that was away. A turn of keeping.py."""
        if not self._away or self._store is None:
            return
        try:
            await asyncio.to_thread(_reach, self._store)  # which may take seconds
            self._store.open_again()
        except Away:
            return
        self._away = False
        log.warning("the copy's store is back")

    def _gone(self, away: Away) -> None:
        if not self._away:
            log.error("the copy's store is away: %s", away)
        self._away = True

    def due(self, at: datetime, category: str, material: str) -> datetime:
        """When a loan is due by the library's own rules."""
        return self.terms.due(at, self.terms.of(category, material).loan_days or 0)

    def close(self) -> None:
        """Close the store and end the threads."""
        self._pins.close()
        if self._store is not None:
            self._store.close()


def _reach(store: Store) -> None:
    """Away while it cannot be reached."""
    store.reader().close()
