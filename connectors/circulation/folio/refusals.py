"""FOLIO's refusals in the words of self-service: by the error's code, else by its message.

Source: folio-org/mod-circulation, support/ErrorCode.java (codes) and domain/validation (messages of checks that have none).
"""

from __future__ import annotations

import re
from typing import Any

from connectors.circulation.remote.values import Json

UNKNOWN = "ILS_REFUSED"

CODES = {
    "USER_BARCODE_NOT_FOUND": "CARD_UNKNOWN",
    "USER_NOT_FOUND": "CARD_UNKNOWN",
    "USER_IS_BLOCKED_MANUALLY": "CARD_BLOCKED",
    "USER_IS_INACTIVE_OR_EXPIRED": "CARD_EXPIRED",
    "ITEM_BARCODE_NOT_FOUND": "ITEM_UNKNOWN",
    "ITEM_HAS_OPEN_LOAN": "ITEM_ON_LOAN",
    "ITEM_CHECKED_OUT_TO_DIFFERENT_USER": "NOT_LENT_TO_YOU",
    "ITEM_NOT_LOANABLE": "ITEM_NOT_FOR_LOAN",
    "LOAN_RENEWAL_LIMIT_REACHED": "TOO_MANY_RENEWALS",
    "LOAN_NOT_RENEWABLE": "TOO_MANY_RENEWALS",
    "RENEWAL_WOULD_NOT_CHANGE_DUE_DATE": "TOO_MANY_RENEWALS",
    "RENEWAL_BLOCKED_BY_HOLD_REQUEST": "HELD_BY_OTHERS",
    "RENEWAL_BLOCKED_BY_RECALL": "HELD_BY_OTHERS",
    "INSTANCE_ALREADY_REQUESTED": "HELD_BY_YOU",
    "ITEM_ALREADY_REQUESTED": "HELD_BY_YOU",
    "ITEM_OF_THIS_INSTANCE_ALREADY_REQUESTED": "HELD_BY_YOU",
    "REQUESTER_ALREADY_HAS_THIS_ITEM_ON_LOAN": "LENT_TO_YOU",
    "REQUESTER_ALREADY_HAS_LOAN_FOR_ONE_OF_INSTANCES_ITEMS": "LENT_TO_YOU",
    "REQUEST_NOT_ALLOWED_FOR_PATRON_ITEM_COMBINATION": "ITEM_NOT_FOR_LOAN",
    "REQUEST_NOT_ALLOWED_FOR_PATRON_TITLE_COMBINATION": "ITEM_NOT_FOR_LOAN",
}
MESSAGES = (
    (re.compile(r"user with matching barcode", re.I), "CARD_UNKNOWN"),
    (re.compile(r"inactive user|inactive or expired", re.I), "CARD_EXPIRED"),
    (re.compile(r"No item with barcode", re.I), "ITEM_UNKNOWN"),
    (re.compile(r"already checked out|already has an open loan", re.I), "ITEM_ON_LOAN"),
    (re.compile(r"No open loan found", re.I), "NOT_LENT"),
    (re.compile(r"has the item status", re.I), "ITEM_NOT_FOR_LOAN"),
    (re.compile(r"requested by another patron", re.I), "ITEM_HELD"),
    (re.compile(r"fee/fine", re.I), "OWES_TOO_MUCH"),
    (re.compile(r"overdue", re.I), "OVERDUE"),
    (re.compile(r"items? charged out|maximum limit of", re.I), "TOO_MANY_LOANS"),
    (re.compile(r"blocked", re.I), "CARD_BLOCKED"),
)
ORDER = ("CARD_UNKNOWN", "CARD_LOST", "CARD_BLOCKED", "CARD_EXPIRED", "OWES_TOO_MUCH", "OVERDUE", "ITEM_UNKNOWN", "ITEM_ON_LOAN",
         "ITEM_NOT_FOR_LOAN", "ITEM_HELD", "TOO_YOUNG", "TOO_MANY_LOANS")  # fmt: skip
"""Which of several is told: first what is about the patron."""

CONDITIONS = {
    "3d7c52dc-c732-4223-8bf8-e5917801386f": "TOO_MANY_LOANS",
    "72b67965-5b73-4840-bc0b-be8f3f6e047e": "CARD_BLOCKED",
    "584fbd4f-6a34-4730-a6ca-73a6a6a9d845": "OVERDUE",
    "e5b45031-a202-4abb-917b-e1df9346fe2c": "OVERDUE",
    "08530ac4-07f2-48e6-9dda-a97bc2bf7053": "OVERDUE",
    "cf7a0d5f-a327-4ca1-aa9e-dc55ec006b8a": "OWES_TOO_MUCH",
}
"""Conditions of automated blocks (folio-org/mod-patron-blocks, Condition.java)."""


def errors_of(data: Any) -> list[Json]:
    """The errors of a 422."""
    return list(data.get("errors") or ()) if isinstance(data, dict) else []


def reason_of(error: Json) -> str:
    """One error in our words."""
    code, message = error.get("code", ""), error.get("message", "")
    if code in CODES:
        return CODES[code]
    if code.startswith("ITEM_LIMIT_"):
        return "TOO_MANY_LOANS"
    return next((reason for pattern, reason in MESSAGES if pattern.search(message)), UNKNOWN)


def reason(data: Any) -> str:
    """All errors of a 422 in one."""
    found = [reason_of(error) for error in errors_of(data)] or [UNKNOWN]
    return min(found, key=lambda one: ORDER.index(one) if one in ORDER else len(ORDER))


def overridable(data: Any) -> set[str] | None:
    """The blocks that must be overridden for all errors to go; None when one of them cannot be."""
    names = [(error.get("overridableBlock") or {}).get("name") for error in errors_of(data)]
    return {name for name in names if name} if names and all(names) else None
