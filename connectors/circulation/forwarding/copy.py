"""The sidecar's own copy of patrons and items, where a site keeps one: who is blocked, what is whose, how long it is lent.

It is the embedded back end's store, filled in the same ways (`load`, and the DAG `circulation_fill` while the sidecar runs), and only read.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.circulation.domain import Credentials, Item, Patron
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.store import Store, store_of
from connectors.circulation.embedded.views import item_view, patron_view
from connectors.circulation.pins import Pins


class Copy:
    """Without a store it knows nobody, and the rules' defaults say how long is lent. `tap`: see keeping.Filled; nothing is written meanwhile."""

    def __init__(self, rules: Rules, store: Store | None = None) -> None:
        self.rules, self._store = rules, store
        self._pins = Pins()
        self.tap: Any = None

    @classmethod
    def at(cls, folder: Path, rules: Rules) -> Copy:
        """The copy of a sidecar's folder; empty where nobody has filled it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(rules, store_of(folder))

    @property
    def store(self) -> Store:
        """The store. LookupError where there is none."""
        if self._store is None:
            raise LookupError("this copy has no store")
        return self._store

    def change_over(self, made: Store, _: object) -> None:
        """Go on with a store that was made of a fill."""
        self.store.replace(made)

    async def patron(self, who: Credentials) -> Patron | None:
        """A patron as the copy has them, with what they owed and had when it was made."""
        row = self._store.patron_of(who.card) if self._store else None
        if row is None:
            return None
        right = None if who.pin is None or row["pin"] is None else await self._pins.right(who.pin, row["pin"])
        return patron_view(self.store, self.rules, row, who.card, pin_right=right)

    def item(self, barcode: str) -> Item | None:
        """A copy of a book as it was then."""
        row = self._store.get("item", barcode) if self._store else None
        return item_view(self.store, row) if row else None

    def due(self, at: datetime, category: str, material: str) -> datetime:
        """When a loan is due by the library's own rules."""
        return self.rules.due(at, self.rules.of(category, material).loan_days or 0)

    def close(self) -> None:
        """Close the store and end the threads."""
        self._pins.close()
        if self._store is not None:
            self._store.close()
