"""Koha's objects as the domain sees them (api/v1/swagger/definitions)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from connectors.circulation.domain import Fee, Hold, Item, ItemStatus, Loan, Patron
from connectors.circulation.koha.settings import KohaSettings
from connectors.circulation.remote.values import Json, moment, money
from connectors.circulation.words import LANGUAGES


def patron_view(
    settings: KohaSettings,
    found: Json,
    card: str,
    *,
    pin_right: bool | None = None,
    loans: tuple[Loan, ...] = (),
    holds: tuple[Hold, ...] = (),
    fees: tuple[Fee, ...] = (),
) -> Patron:
    """A patron."""
    blocks = [
        reason
        for name, reason in (("patron_card_lost", "CARD_LOST"), ("restricted", "CARD_BLOCKED"), ("incorrect_address", "CARD_BLOCKED"))
        if found.get(name)
    ]
    language = (found.get("lang") or "").partition("-")[0]
    return Patron(
        patron=str(found["patron_id"]),
        card=card,
        name=" ".join(filter(None, (found.get("firstname"), found.get("surname")))),
        category=found.get("category_id") or "",
        language=language if language in LANGUAGES else "",
        home_library=settings.ours(found.get("library_id")),
        currency=settings.currency,
        valid_until=_day(found.get("expiry_date")),
        birth_date=_day(found.get("date_of_birth")),
        municipality="",
        pin_right=pin_right,
        blocks=tuple(dict.fromkeys(blocks)),
        loans=loans,
        holds=holds,
        fees=fees,
        loans_limit=settings.limits.loans,
        holds_limit=settings.limits.holds,
        fees_limit=settings.limits.fees,
        address=", ".join(filter(None, (found.get("address"), found.get("postal_code"), found.get("city")))),
        email=found.get("email") or "",
        phone=found.get("phone") or "",
    )


def loan_view(checkout: Json, item: Json | None) -> Loan:
    """A loan; `item` is the copy, which the checkout names by its number alone."""
    return Loan(
        item=(item or {}).get("external_id") or str(checkout["item_id"]),
        title=title_of(item),
        loaned_at=moment(checkout["checkout_date"]),
        due=moment(checkout["due_date"]),
        renewals=checkout.get("renewals_count") or 0,
    )


def hold_view(settings: KohaSettings, hold: Json, items: Mapping[int, Json]) -> Hold:
    """A hold. A title without a copy that we know is called by its number."""
    item = items.get(hold.get("item_id") or 0)
    return Hold(
        hold=str(hold["hold_id"]),
        title=str(hold["biblio_id"]),
        pickup=settings.ours(hold.get("pickup_library_id")),
        ready=hold.get("status") == "W",
        item=(item or {}).get("external_id") or "",
        position=hold.get("priority") or 0,
        placed=_morning(settings, hold.get("hold_date")),
        title_id=str(hold["biblio_id"]),
    )


def fees_view(account: Json) -> tuple[Fee, ...]:
    """What is owed: the account's outstanding debits."""
    lines = (account.get("outstanding_debits") or {}).get("lines") or []
    return tuple(
        Fee(str(line["account_line_id"]), (line.get("debit_type") or "").casefold(), money(line["amount_outstanding"]), line.get("description") or "")
        for line in lines
    )  # fmt: skip


def item_view(settings: KohaSettings, found: Json, *, due: datetime | None = None, holds: tuple[Json, ...] = ()) -> Item:
    """A copy; `holds` are those on its title."""
    own = next((hold for hold in holds if str(hold.get("item_id") or "") == str(found["item_id"]) and hold.get("status")), None)
    return Item(
        item=found.get("external_id") or "",
        title=title_of(found),
        status=_status(found, own),
        material=found.get("effective_item_type_id") or found.get("item_type_id") or "",
        owner=settings.ours(found.get("home_library_id")),
        location=settings.ours(found.get("holding_library_id")),
        call_number=found.get("callnumber") or "",
        due=due,
        holds=len(holds),
        hold_for=str(own["patron_id"]) if own else "",
        title_id=str(found.get("biblio_id") or ""),
    )


def _status(found: Json, hold: Json | None) -> ItemStatus:
    if found.get("withdrawn"):
        return "withdrawn"
    if found.get("lost_status"):
        return "lost"
    if found.get("checked_out_date"):
        return "on_loan"
    if hold is not None:
        return "in_transit" if hold["status"] == "T" else "on_hold"
    return "available"


def title_of(item: Json | None) -> str:
    """The title of a copy's record, when it came with it."""
    return ((item or {}).get("biblio") or {}).get("title") or ""


def _morning(settings: KohaSettings, text: str | None) -> datetime | None:
    """The beginning of a day: Koha says no more of when a hold was placed."""
    day = _day(text)
    return datetime.combine(day, time(), settings.zone).astimezone(UTC) if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None
