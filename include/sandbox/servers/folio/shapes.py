"""FOLIO's objects as its modules write them, and its refusals."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from include.sandbox.servers.ils.state import Copy, Debt, Hold, Library, Loan, Patron, Payment, uuid_of

Json = dict[str, Any]
FEE_BALANCE = "cf7a0d5f-a327-4ca1-aa9e-dc55ec006b8a"
"""mod-patron-blocks: the condition "Maximum outstanding fee/fine balance"."""
STATES = {"": "Available", "lost": "Declared lost", "withdrawn": "Withdrawn", "held": "Awaiting pickup", "transit": "In transit"}


def service_point(library: str) -> str:
    """The UUID of a library's service point."""
    return uuid_of(f"servicepoint-{library}", 0)


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds")


def user_id(found: Patron) -> str:
    return found.uuid or uuid_of("user", found.id)


def item_id(copy: Copy) -> str:
    return copy.uuids.get("item") or uuid_of("item", copy.id)


def holdings_of(copy: Copy) -> str:
    return copy.uuids.get("holdings") or uuid_of("holdings", copy.title_id)


def instance_of(copy: Copy) -> str:
    return copy.uuids.get("instance") or uuid_of("instance", copy.title_id)


def request_id(hold: Hold) -> str:
    return hold.uuid or uuid_of("request", hold.id)


def user(library: Library, found: Patron) -> Json:
    first, _, last = found.name.rpartition(" ")
    return {
        "id": user_id(found), "username": f"user{found.id}", "barcode": found.card, "active": True,
        "patronGroup": uuid_of("group-" + found.category, 0), "type": "patron",
        "expirationDate": found.expires and stamp(datetime.combine(found.expires, time(23, 59, 59), library.zone)),
        "personal": {"lastName": last, "firstName": first, "email": found.email or None, "dateOfBirth": found.born and found.born.isoformat()},
        "customFields": {"homeLibrary": found.library}, "metadata": {"createdDate": found.made and stamp(found.made)},
    }  # fmt: skip


def status(library: Library, copy: Copy) -> str:
    if copy.barcode in library.loans:
        return "Checked out"
    paged = any(hold.copy is copy and not hold.status for hold in library.queue(copy.title_id))
    return "Paged" if paged and not copy.state else STATES[copy.state]


def item(library: Library, copy: Copy) -> Json:
    return {
        "id": item_id(copy), "barcode": copy.barcode, "title": copy.title, "status": {"name": status(library, copy)},
        "materialType": {"id": copy.uuids.get("material") or uuid_of("material-" + copy.material, 0), "name": copy.material},
        "effectiveLocation": {"id": uuid_of("location-" + copy.home, 0), "name": copy.home},
        "holdingsRecordId": holdings_of(copy), "effectiveCallNumberComponents": {},
    }  # fmt: skip


def loan(found: Loan) -> Json:
    action = "checkedin" if found.returned else "dueDateChanged" if found.dated else "renewed" if found.renewed else "checkedout"
    return {
        "id": uuid_of("loan", found.id), "userId": user_id(found.patron), "itemId": item_id(found.copy),
        "item": {"title": found.copy.title, "barcode": found.copy.barcode, "materialType": {"name": found.copy.material},
                 "location": {"name": found.copy.home}, "instanceId": instance_of(found.copy)},
        "loanDate": stamp(found.at), "dueDate": stamp(found.due), "status": {"name": "Closed" if found.returned else "Open"},
        "action": action, "renewalCount": found.renewals, "returnDate": found.returned and stamp(found.returned),
        "systemReturnDate": found.returned and stamp(found.returned),
        "metadata": {"updatedDate": stamp(found.returned or found.dated or found.renewed or found.at)}, "borrower": {"barcode": found.patron.card},
    }  # fmt: skip


def request(library: Library, found: Hold) -> Json:
    queue = library.queue(found.title_id)
    state = {"": "Open - Not yet filled", "waiting": "Open - Awaiting pickup", "transit": "Open - In transit"}[found.status]
    copy = next(one for one in library.copies.values() if one.title_id == found.title_id)
    return {
        "id": request_id(found), "requestLevel": "Item" if found.copy else "Title", "status": state,
        "requestType": "Hold", "requestDate": stamp(found.at), "requesterId": user_id(found.patron),
        "instanceId": instance_of(copy), "itemId": found.copy and item_id(found.copy),
        "instance": {"title": copy.title}, "item": {"barcode": found.copy.barcode} if found.copy else None,
        "position": queue.index(found) + 1 if found in queue else 0, "fulfillmentPreference": "Hold Shelf",
        "pickupServicePointId": service_point(found.pickup),
    }  # fmt: skip


def account(found: Debt) -> Json:
    return {
        "id": uuid_of("account", found.id), "userId": user_id(found.patron), "amount": float(found.amount),
        "remaining": float(found.left), "feeFineType": found.kind, "title": found.title,
        "status": {"name": "Open" if found.left else "Closed"},
    }  # fmt: skip


def action(found: Payment) -> Json:
    return {
        "id": uuid_of("action", found.id), "userId": user_id(found.patron), "amountAction": float(found.amount),
        "transactionInformation": found.note, "dateAction": stamp(found.at), "typeAction": "Paid partially",
    }  # fmt: skip


def error(message: str, code: str = "", block: str = "", **parameters: str) -> Json:
    found: Json = {"message": message, "parameters": [{"key": key, "value": value} for key, value in parameters.items()]}
    if code:
        found["code"] = code
    if block:
        found["overridableBlock"] = {"name": block, "missingPermissions": []}
    return found


def refusals(library: Library, who: Patron, what: Copy, overridden: set[str]) -> list[Json]:
    """The errors of a checkout; `overridden` are the blocks that the request overrides."""
    found: list[Json] = []
    for why in library.against(who, what):
        one = _refusal(why, who, what)
        if one.get("overridableBlock", {}).get("name") not in overridden:
            found.append(one)
    return found


def _refusal(why: str, who: Patron, what: Copy) -> Json:
    match why:
        case "own" | "on_loan":
            return error("Item is already checked out", itemBarcode=what.barcode)
        case "blocked":
            return error("Patron blocked from borrowing", "USER_IS_BLOCKED_MANUALLY", "patronBlock", reason="Patron blocked from borrowing")
        case "owes":
            return error(
                "Patron has reached maximum allowed outstanding fee/fine balance for his/her patron group",
                "USER_IS_BLOCKED_AUTOMATICALLY",
                "patronBlock",
            )
        case "expired":
            return error("Cannot check out to inactive user", userBarcode=who.card)
        case "not_for_loan" | "young":
            return error("Item is not loanable", "ITEM_NOT_LOANABLE", "itemNotLoanableBlock", itemBarcode=what.barcode)
        case "many":
            return error("Patron has reached maximum limit of 4 items for material type", "ITEM_LIMIT_MATERIAL_TYPE", "itemLimitBlock")
        case "held":
            return error(
                f"{what.title} (Barcode: {what.barcode}) cannot be checked out to user Doe, Jane because it has been requested by another patron",
                userBarcode=who.card,
            )
        case _:
            state = STATES[what.state]
            return error(
                f"{what.title} ({what.material}) (Barcode: {what.barcode}) has the item status {state} and cannot be checked out",
                itemBarcode=what.barcode,
            )
