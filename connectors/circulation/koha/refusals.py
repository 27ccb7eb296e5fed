"""Koha's refusals in the words of self-service.

Source: C4::Circulation::CanBookBeIssued and CanBookBeRenewed, C4::Reserves::CanItemBeReserved (the keys), Koha::REST::V1::Checkouts and
Holds (how errors carry them: "Checkout not authorized (KEY KEY)", "Renewal not authorized (key)", "Hold cannot be placed. Reason: key").
"""

from __future__ import annotations

import re
from collections.abc import Iterable

UNKNOWN = "ILS_REFUSED"

LOANS = {
    "CARD_LOST": "CARD_LOST",
    "GNA": "CARD_BLOCKED",
    "DEBARRED": "CARD_BLOCKED",
    "USERBLOCKEDNOENDDATE": "CARD_BLOCKED",
    "USERBLOCKEDWITHENDDATE": "CARD_BLOCKED",
    "USERBLOCKEDREMAINING": "CARD_BLOCKED",
    "PATRON_CANT": "CARD_BLOCKED",
    "EXPIRED": "CARD_EXPIRED",
    "DEBT": "OWES_TOO_MUCH",
    "DEBT_GUARANTEES": "OWES_TOO_MUCH",
    "DEBT_GUARANTORS": "OWES_TOO_MUCH",
    "USERBLOCKEDOVERDUE": "OVERDUE",
    "UNKNOWN_BARCODE": "ITEM_UNKNOWN",
    "ISSUED_TO_ANOTHER": "ITEM_ON_LOAN",
    "NO_MORE_RENEWALS": "TOO_MANY_RENEWALS",
    "RENEW_ISSUE": "LENT_TO_YOU",
    "NOT_FOR_LOAN": "ITEM_NOT_FOR_LOAN",
    "NOT_FOR_LOAN_FORCING": "ITEM_NOT_FOR_LOAN",
    "WTHDRAWN": "ITEM_NOT_FOR_LOAN",
    "RESTRICTED": "ITEM_NOT_FOR_LOAN",
    "ITEM_LOST": "ITEM_NOT_FOR_LOAN",
    "ITEMNOTSAMEBRANCH": "ITEM_NOT_FOR_LOAN",
    "BIBLIO_ALREADY_ISSUED": "LENT_TO_YOU",
    "RESERVE_WAITING": "ITEM_HELD",
    "RESERVED": "ITEM_HELD",
    "TRANSFERRED": "ITEM_HELD",
    "PROCESSING": "ITEM_HELD",
    "RECALLED": "ITEM_HELD",
    "BOOKED_TO_ANOTHER": "ITEM_HELD",
    "AGE_RESTRICTION": "TOO_YOUNG",
    "TOO_MANY": "TOO_MANY_LOANS",
}
"""In the order in which they are told when there are several: first what is about the patron, then the item."""

RENEWALS = {
    "too_many": "TOO_MANY_RENEWALS",
    "too_unseen": "TOO_MANY_RENEWALS",
    "on_reserve": "HELD_BY_OTHERS",
    "recalled": "HELD_BY_OTHERS",
    "restriction": "CARD_BLOCKED",
    "overdue": "OVERDUE",
    "item_issued_to_other_patron": "NOT_LENT_TO_YOU",
    "no_checkout": "NOT_LENT",
    "no_item": "ITEM_UNKNOWN",
    "item_denied_renewal": "ITEM_NOT_FOR_LOAN",
}
HOLDS = {
    "itemAlreadyOnHold": "HELD_BY_YOU",
    "alreadypossession": "LENT_TO_YOU",
    "tooManyReserves": "TOO_MANY_HOLDS",
    "tooManyHoldsForThisRecord": "TOO_MANY_HOLDS",
    "tooManyReservesToday": "TOO_MANY_HOLDS",
    "ageRestricted": "TOO_YOUNG",
    "restricted": "CARD_BLOCKED",
    "cardLost": "CARD_LOST",
    "expired": "CARD_EXPIRED",
    "debtLimit": "OWES_TOO_MUCH",
    "damaged": "ITEM_NOT_FOR_LOAN",
    "notReservable": "ITEM_NOT_FOR_LOAN",
    "pickupNotInHoldGroup": "ITEM_NOT_FOR_LOAN",
}


def keys_of(error: str) -> list[str]:
    """The keys that an error of a checkout names between brackets; details beside them (`issued_surname`) are none."""
    found = re.search(r"\(([^)]*)\)", error)
    return [key for key in found[1].split() if key.isupper()] if found else []


def of_loan(keys: Iterable[str]) -> str:
    """The first reason of several."""
    found = set(keys)
    return next((reason for key, reason in LOANS.items() if key in found), UNKNOWN)


def of_renewal(error: str) -> str:
    """Why a loan was not renewed."""
    found = re.search(r"\((\w+)\)", error)
    return RENEWALS.get(found[1], UNKNOWN) if found else UNKNOWN


def of_hold(error: str) -> str:
    """Why a hold was not placed."""
    return HOLDS.get(error.rpartition(":")[2].strip(), UNKNOWN)
