"""Rows of the store as the domain sees them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from msgspec.structs import replace

from connectors.circulation.domain import Fee, Hold, Item, Loan, Patron
from connectors.circulation.embedded.direct import Row
from connectors.circulation.embedded.store import Store
from connectors.circulation.embedded.terms import Terms

MOST_SHOWN = 10_000
"""Patrons who are not put together anew as long as nothing of theirs changes."""


def when(seconds: int) -> datetime:
    """A moment of the store."""
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(256)  # a loan says the present moment twice, and many end on the same day
def seconds(moment: datetime) -> int:
    """A moment as the store has it."""
    return int(moment.timestamp())


@lru_cache(64)
def text(at: int) -> str:
    """A moment of the store as text: 2026-11-22T12:00:00+00:00."""
    return when(at).isoformat()


def money(hundredths: int) -> Decimal:
    """An amount of the store."""
    return Decimal(hundredths).scaleb(-2)


def loan_view(row: Row) -> Loan:
    return Loan(row["item"], row.get("title", ""), when(row["loaned_at"]), when(row["due"]), row["renewals"])


def hold_view(row: Row) -> Hold:
    return Hold(row["hold"], row["title_id"], row["pickup"], bool(row["ready"]), row["item"], row.get("before", 0) + 1, when(row["placed"]),
                row["title_id"])  # fmt: skip


def fee_view(row: Row) -> Fee:
    return Fee(row["fee"], row["kind"], money(row["outstanding"]), row["title"])


def patron_view(store: Store, terms: Terms, row: Row, card: str, *, pin_right: bool | None = None, whole: bool = True) -> Patron:
    """A patron; `whole`: with loans, holds and fees."""
    patron, shown = row["patron"], store.shown
    last = shown.get(patron) if shown is not None else None
    if last is not None and last[0] is row and last[1] is terms and last[2].card == card:
        found = last[2]
    else:
        found = _patron(terms, row, card)
        if shown is not None:
            if len(shown) >= MOST_SHOWN:
                shown.clear()
            shown[patron] = (row, terms, found)
    if not whole:
        return found if pin_right is None else replace(found, pin_right=pin_right)
    return replace(
        found,
        pin_right=pin_right,
        loans=tuple(map(loan_view, store.loans_of(patron))),
        holds=tuple(map(hold_view, store.holds_of(patron))),
        fees=tuple(map(fee_view, store.fees_of(patron))),
    )


def _patron(terms: Terms, row: Row, card: str) -> Patron:
    limits = terms.of(row["category"])
    return Patron(
        patron=row["patron"],
        card=card,
        name=row["name"],
        category=row["category"],
        language=row["language"],
        home_library=row["home_library"],
        currency=terms.currency,
        valid_until=_day(row["valid_until"]),
        birth_date=_day(row["birth_date"]),
        municipality=row["municipality"],
        pin_right=None,
        blocks=tuple(row["block"].split()),
        loans_limit=limits.loans,
        holds_limit=limits.holds,
        fees_limit=limits.fees,
        address=row["address"],
        email=row["email"],
        phone=row["phone"],
    )


def item_view(store: Store, row: Row) -> Item:
    """An item, with when it is due back and how many wait for its title."""
    loan = store.get("loan", row["item"]) if row["status"] == "on_loan" else None
    held = store.get("hold", row["hold"]) if row["hold"] else None
    return Item(
        item=row["item"],
        title=row["title"],
        status=row["status"],
        material=row["material"],
        owner=row["owner"],
        location=row["location"],
        call_number=row["call_number"],
        due=when(loan["due"]) if loan else None,
        holds=len(store.queue(row["title_id"])),
        hold_for=held["patron"] if held else "",
        properties=row["properties"],
        magnetic=bool(row["magnetic"]),
        title_id=row["title_id"],
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
