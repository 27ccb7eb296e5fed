"""What self-service asks of a library system and gets told, whatever protocol it came in and whichever system answers.

SIP2, SIP2 over HTTPS and NCIP are turned into these, and back ends (embedded, Koha, FOLIO, store and forward) answer with these. Times are
aware and in UTC; amounts are decimals in the currency named beside them. `reason` is a code of words.yaml, which says it to patrons.

All of them are msgspec's structs, which cost a fifth of what dataclasses do to make; what is changed is a copy (`msgspec.structs.replace`).
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class Asked(Struct, frozen=True, gc=False):
    """What every request says: which terminal, at which of its moments, and as the terminal's own key against doing it twice.

    `no_block` is a machine's word that it has done it already, while it was alone: it must be taken in, with the machine's own date.
    """

    terminal: str
    at: datetime
    branch: str = ""
    key: str = ""
    no_block: bool = False


_NOTHING = Decimal(0)


class Credentials(Struct, frozen=True, gc=False):
    """A card, and the PIN where one was typed in. The PIN is never shown."""

    card: str
    pin: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.card!r})"


NOBODY = Credentials("")


class Checkout(Asked, frozen=True, gc=False):
    """Lend an item. `renewal_allowed`: the same item, lent to the same patron, may be renewed instead. `undo` takes it back."""

    patron: Credentials = NOBODY
    item: str = ""
    due: datetime | None = None
    renewal_allowed: bool = False
    fee_acknowledged: bool = False
    undo: bool = False


class Checkin(Asked, frozen=True, gc=False):
    """Take an item back. `undo`: it was not taken back after all, and sets off no hold."""

    item: str = ""
    returned: datetime | None = None
    undo: bool = False


class Renew(Asked, frozen=True, gc=False):
    """Lend an item longer; `item` empty: all of the patron's."""

    patron: Credentials = NOBODY
    item: str = ""
    due: datetime | None = None
    third_party: bool = False
    fee_acknowledged: bool = False


class Reserve(Asked, frozen=True, gc=False):
    """Place, change or cancel a hold, on an item or on a title (control number). `hold` is the number of one that is there already."""

    patron: Credentials = NOBODY
    change: Literal["add", "delete", "alter"] = "add"
    item: str = ""
    title: str = ""
    pickup: str = ""
    expires: datetime | None = None
    hold: str = ""


MOST_PAID = Decimal(1_000_000)
"""More than anybody pays at once: a number above it is no amount, and may be too long to reckon with."""


class Pay(Asked, frozen=True, gc=False):
    """Money that a payment station has taken: it must be written down even when no fee fits it."""

    patron: Credentials = NOBODY
    amount: Decimal = Decimal(0)
    currency: str = ""
    fee: str = ""
    transaction: str = ""


class Block(Asked, frozen=True, gc=False):
    """Block a patron's card (`blocked`), which the machine may have kept, or lift the machine's own block."""

    patron: Credentials = NOBODY
    blocked: bool = True
    card_retained: bool = False
    message: str = ""


class Note(Asked, frozen=True, gc=False):
    """What a machine writes on an item: its properties."""

    item: str = ""
    properties: str = ""


Request = Checkout | Checkin | Renew | Reserve | Pay | Block | Note


class Loan(Struct, frozen=True, gc=False):
    """An item that a patron has."""

    item: str
    title: str
    loaned_at: datetime
    due: datetime
    renewals: int = 0

    def overdue(self, now: datetime) -> bool:
        return self.due < now


class Hold(Struct, frozen=True, gc=False):
    """A patron's place in a queue. `ready`: an item waits on the pickup shelf. `title` is what is shown, `title_id` what is compared."""

    hold: str
    title: str
    pickup: str
    ready: bool
    item: str = ""
    position: int = 0
    placed: datetime | None = None
    title_id: str = ""


class Fee(Struct, frozen=True, gc=False):
    """Money owed."""

    fee: str
    kind: str
    outstanding: Decimal
    title: str = ""


class Patron(Struct, frozen=True, gc=False):
    """A patron as self-service may see one. `pin_right` is None when no PIN was given or none is kept."""

    patron: str
    card: str
    name: str
    category: str
    language: str
    home_library: str
    currency: str
    valid_until: date | None
    birth_date: date | None
    municipality: str
    pin_right: bool | None
    blocks: tuple[str, ...] = ()
    loans: tuple[Loan, ...] = ()
    holds: tuple[Hold, ...] = ()
    fees: tuple[Fee, ...] = ()
    loans_limit: int | None = None
    holds_limit: int | None = None
    fees_limit: Decimal | None = None
    address: str = ""
    email: str = ""
    phone: str = ""

    def __repr__(self) -> str:
        return f"Patron({self.patron!r})"

    @property
    def owes(self) -> Decimal:
        """The sum of what is outstanding."""
        return sum((fee.outstanding for fee in self.fees), Decimal(0)) if self.fees else _NOTHING


ItemStatus = Literal["available", "on_loan", "on_hold", "in_transit", "lost", "withdrawn", "unknown"]


class Item(Struct, frozen=True, gc=False):
    """A copy as self-service may see one."""

    item: str
    title: str
    status: ItemStatus
    material: str = ""
    owner: str = ""
    location: str = ""
    call_number: str = ""
    due: datetime | None = None
    holds: int = 0
    hold_for: str = ""
    properties: str = ""
    magnetic: bool = False
    title_id: str = ""


class Outcome(Struct, frozen=True, gc=False):
    """What came of a request. `reason` says why not, or what is to be known although it worked; '' is nothing.

    `route` is where a returned item goes next: another branch, or the shelf of a hold.
    `hold` is the one that was placed, or that a returned item is for, and `waiting` its patron.
    `again`: the very same request had been done before; this is what was answered then.
    """

    ok: bool
    reason: str = ""
    item: Item | None = None
    patron: Patron | None = None
    due: datetime | None = None
    renewed: bool = False
    fee: Decimal | None = None
    route: str = ""
    hold: Hold | None = None
    waiting: Patron | None = None
    done: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()
    transaction: str = ""
    again: bool = False
