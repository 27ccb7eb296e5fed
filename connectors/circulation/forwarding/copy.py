"""The sidecar's own copy of patrons and items, where a site keeps one: who is blocked, what is whose, how long it is lent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from connectors.circulation.domain import Credentials, Item, Patron
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.store import Store
from connectors.circulation.embedded.views import item_view, patron_view
from connectors.circulation.pins import Pins


class Copy:
    """Read only. Without a store it knows nobody, and the rules' defaults say how long is lent."""

    def __init__(self, rules: Rules, store: Store | None = None) -> None:
        self.rules, self._store = rules, store
        self._pins = Pins()

    @classmethod
    def at(cls, folder: Path, rules: Rules) -> Copy:
        """The copy of a sidecar's folder: `store.db`, where there is one with patrons in it."""
        path = folder / "store.db"
        store = Store(path) if path.exists() else None
        if store is not None and next(store.rows("patron"), None) is None:
            store.close()
            store = None
        return cls(rules, store)

    @property
    def there(self) -> bool:
        """Whether a site keeps one."""
        return self._store is not None

    async def patron(self, who: Credentials) -> Patron | None:
        """A patron as the copy has them, with what they owed and had when it was made."""
        row = self._store.patron_of(who.card) if self._store else None
        if row is None or self._store is None:
            return None
        right = None if who.pin is None or row["pin"] is None else await self._pins.right(who.pin, row["pin"])
        return patron_view(self._store, self.rules, row, who.card, pin_right=right)

    def item(self, barcode: str) -> Item | None:
        """A copy of a book as it was then."""
        row = self._store.get("item", barcode) if self._store else None
        return item_view(self._store, row) if row and self._store else None

    def due(self, at: datetime, category: str, material: str) -> datetime:
        """When a loan is due by the library's own rules."""
        return self.rules.due(at, self.rules.of(category, material).loan_days or 0)

    def close(self) -> None:
        """Close the store and end the threads."""
        self._pins.close()
        if self._store is not None:
            self._store.close()
