"""FOLIO's objects as the domain sees them (mod-users, mod-circulation, mod-feesfines, mod-inventory)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from connectors.circulation.domain import Fee, Hold, Item, ItemStatus, Loan, Patron
from connectors.circulation.folio.refusals import CONDITIONS
from connectors.circulation.folio.settings import FolioSettings
from connectors.circulation.remote.values import Json, moment, money

STATUS: dict[str, ItemStatus] = {
    "Available": "available", "Checked out": "on_loan", "Awaiting pickup": "on_hold", "Paged": "on_hold", "In transit": "in_transit",
    "Awaiting delivery": "in_transit", "Declared lost": "lost", "Aged to lost": "lost", "Lost and paid": "lost", "Long missing": "lost",
    "Missing": "lost", "Withdrawn": "withdrawn",
}  # fmt: skip


def patron_view(
    settings: FolioSettings,
    user: Json,
    card: str,
    groups: Mapping[str, str],
    *,
    pin_right: bool | None = None,
    blocks: Iterable[str] = (),
    loans: tuple[Loan, ...] = (),
    holds: tuple[Hold, ...] = (),
    fees: tuple[Fee, ...] = (),
) -> Patron:
    """A patron."""
    personal = user.get("personal") or {}
    first = personal.get("preferredFirstName") or personal.get("firstName")
    expires = user.get("expirationDate")
    reasons = [*blocks] if user.get("active", True) or expires else ["CARD_EXPIRED", *blocks]
    return Patron(
        patron=user["id"],
        card=card,
        name=" ".join(filter(None, (first, personal.get("lastName")))),
        category=groups.get(user.get("patronGroup") or "", ""),
        language="",
        home_library=settings.place((user.get("customFields") or {}).get("homeLibrary")),
        currency=settings.currency,
        valid_until=moment(expires).astimezone(settings.zone).date() if expires else None,
        birth_date=date.fromisoformat(personal["dateOfBirth"][:10]) if personal.get("dateOfBirth") else None,
        municipality="",
        pin_right=pin_right,
        blocks=tuple(dict.fromkeys(reasons)),
        loans=loans,
        holds=holds,
        fees=fees,
        loans_limit=settings.limits.loans,
        holds_limit=settings.limits.holds,
        fees_limit=settings.limits.fees,
        address=_address(personal),
        email=personal.get("email") or "",
        phone=personal.get("phone") or personal.get("mobilePhone") or "",
    )


def _address(personal: Json) -> str:
    found: Json = next(iter(personal.get("addresses") or ()), {})
    return ", ".join(filter(None, (found.get("addressLine1"), found.get("postalCode"), found.get("city"))))


def blocks_of(manual: Iterable[Json], automated: Iterable[Json], now: datetime) -> list[str]:
    """What keeps a patron from borrowing. Having as many loans as allowed is no block here: it is said when one more is wanted."""
    found = ["CARD_BLOCKED" for one in manual if one.get("borrowing") and not _over(one, now)]
    found += [CONDITIONS.get(one.get("patronBlockConditionId", ""), "CARD_BLOCKED") for one in automated if one.get("blockBorrowing")]
    return [one for one in dict.fromkeys(found) if one != "TOO_MANY_LOANS"]


def _over(block: Json, now: datetime) -> bool:
    return bool(block.get("expirationDate")) and moment(block["expirationDate"]) < now


def loan_view(loan: Json) -> Loan:
    item = loan.get("item") or {}
    return Loan(
        item=item.get("barcode") or loan["itemId"],
        title=item.get("title") or "",
        loaned_at=moment(loan["loanDate"]),
        due=moment(loan["dueDate"]),
        renewals=loan.get("renewalCount") or 0,
    )


def hold_view(settings: FolioSettings, request: Json) -> Hold:
    ready = request.get("status") == "Open - Awaiting pickup"
    return Hold(
        hold=request["id"],
        title=(request.get("instance") or {}).get("title") or request.get("instanceId") or "",
        pickup=settings.ours(request.get("pickupServicePointId")),
        ready=ready,
        item=((request.get("item") or {}).get("barcode") or "") if ready else "",
        position=request.get("position") or 0,
        placed=moment(request["requestDate"]) if request.get("requestDate") else None,
        title_id=request.get("instanceId") or "",
    )


def fee_view(account: Json) -> Fee:
    return Fee(account["id"], (account.get("feeFineType") or "").casefold(), money(account["remaining"]), account.get("title") or "")


def item_view(settings: FolioSettings, item: Json, *, due: datetime | None = None, holds: int = 0) -> Item:
    """A copy, from the inventory or as circulation writes it."""
    status = (item.get("status") or {}).get("name", "")
    place = settings.place((item.get("effectiveLocation") or item.get("location") or {}).get("name"))
    return Item(
        item=item.get("barcode") or "",
        title=item.get("title") or "",
        status=STATUS.get(status, "unknown"),
        material=(item.get("materialType") or {}).get("name") or "",
        owner=place,
        location=place,
        call_number=item.get("callNumber") or (item.get("effectiveCallNumberComponents") or {}).get("callNumber") or "",
        due=due,
        holds=holds,
        title_id=item.get("instanceId") or "",
    )
