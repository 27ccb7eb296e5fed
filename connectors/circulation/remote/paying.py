"""Money that a machine took, before it is booked at a library system: what stands against it, and what it is known by there."""

from __future__ import annotations

from connectors.circulation.domain import Pay


def against(asked: Pay, currency: str) -> str:
    """Why it cannot be booked, or ''. `currency` is the one that the library system reckons in."""
    if asked.amount <= 0:
        return "AMOUNT_WRONG"
    return "CURRENCY_WRONG" if asked.currency and asked.currency != currency else ""


def mark_of(asked: Pay) -> str:
    """The text by which the system's books know a payment: the same for the same payment, so that it is found again."""
    return f"bindery {asked.key or asked.transaction or asked.at.isoformat()}"
