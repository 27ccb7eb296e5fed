"""Answers about items, holds and money: item information (18), status update (20), hold (16), fee paid (38)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Literal

from connectors.circulation.domain import MOST_PAID, ItemStatus, Note, Outcome, Pay, Reserve
from connectors.circulation.sip2.codec import Parsed, Value
from connectors.circulation.sip2.context import Answer, Context, kept_out

STATUS: dict[ItemStatus, str] = {
    "unknown": "01", "available": "03", "on_loan": "04", "on_hold": "08", "in_transit": "10", "lost": "12", "withdrawn": "01",
}  # fmt: skip
"""Circulation status (SIP2 2.00): other, available, charged, waiting on hold shelf, in transit, lost."""
CHANGES: dict[str, Literal["add", "delete", "alter"]] = {"+": "add", "-": "delete", "*": "alter"}


async def information(context: Context, asked: Parsed) -> Answer:
    """17: what is this item?"""
    barcode = asked.fields.get("AB", "").strip()
    item = await context.backend.item(barcode)
    if item is None:
        fields: dict[str, Value] = {"AB": barcode, "AJ": "", "AF": [context.say("ITEM_UNKNOWN", context.tongue())]}
        return Answer("18", {"circulation status": "01", "transaction date": context.stamp()}, fields, "refused")
    collection = context.output.collection
    fields = {
        "CF": str(item.holds),
        "AH": context.due(item.due) or None,
        "AB": item.item,
        "AJ": item.title or item.item,
        "BG": item.owner or None,
        "CK": "001" if item.material.casefold() in ("", "book") else None,
        "AQ": item.owner or None,
        "AP": item.location or None,
        "CH": item.properties or None,
        "CR": None if collection == "none" else getattr(item, collection) or None,
        "CS": item.call_number or None,
    }
    return Answer("18", {"circulation status": STATUS[item.status], "security marker": "02", "transaction date": context.stamp()}, fields)


async def update(context: Context, asked: Parsed) -> Answer:
    """19: keep what the machine says of the item."""
    barcode = asked.fields.get("AB", "").strip()
    outcome = await context.backend.perform(Note(*context.said(asked), item=barcode, properties=asked.fields.get("CH", "")))
    fields: dict[str, Value] = {
        "AB": barcode,
        "AJ": outcome.item.title if outcome.item else None,
        "CH": outcome.item.properties if outcome.item else None,
        "AF": context.screen(outcome),
    }
    fixed = {"item properties ok": "1" if outcome.ok else "0", "transaction date": context.stamp()}
    return Answer("20", fixed, fields, "ok" if outcome.ok else "refused")


async def hold(context: Context, asked: Parsed) -> Answer:
    """15: place (+), cancel (-) or change (*) a hold."""
    change, who = CHANGES.get(asked.fixed["hold mode"]), context.who(asked)
    if change is None:
        outcome = Outcome(False, "TERMINAL_CANNOT")
    elif why := await kept_out(context, asked, who):
        outcome = Outcome(False, why)
    else:
        outcome = await context.backend.perform(
            Reserve(
                *context.said(asked),
                patron=who,
                change=change,
                item=asked.fields.get("AB", "").strip(),
                title=asked.fields.get("AJ", "").strip(),
                pickup=asked.fields.get("BS", "").strip(),
                expires=context.time(asked.fields.get("BW", "")),
            )
        )
    placed = outcome.hold
    fields: dict[str, Value] = {
        "AO": context.institution,
        "AA": asked.fields.get("AA", ""),
        "BW": asked.fields.get("BW") or None,
        "BR": str(placed.position) if placed else None,
        "BS": (placed.pickup or None) if placed else None,
        "AB": asked.fields.get("AB") or None,
        "AJ": asked.fields.get("AJ") or None,
        "AF": context.screen(outcome, patron=outcome.patron),
    }
    ready = placed is not None and placed.ready
    fixed = {"ok": "1" if outcome.ok else "0", "available": "Y" if ready else "N", "transaction date": context.stamp()}
    return Answer("16", fixed, fields, "ok" if outcome.ok else "refused")


async def paid(context: Context, asked: Parsed) -> Answer:
    """37: money was taken. A kind of payment that is a write-off here is none."""
    try:
        amount = Decimal(asked.fields.get("BV", "").strip().replace(",", "."))
        if not (amount.is_finite() and Decimal("0.01") <= amount <= MOST_PAID):
            raise InvalidOperation
    except InvalidOperation:
        amount = Decimal(0)
    policy = context.policy
    who, said = context.who(asked), context.said(asked)
    # What was booked is owed no more: who did not get the answer, and asks again, must not be told to give the money back.
    patron = None if policy.overpayment or await context.backend.known(said[3]) else await context.backend.patron(who)
    if asked.fixed["payment type"] in policy.write_off_types:
        outcome = Outcome(False, "TERMINAL_CANNOT")
    elif patron is not None and amount > patron.owes:
        outcome = Outcome(False, "PAID_TOO_MUCH", patron=patron)
    else:
        outcome = await context.backend.perform(
            Pay(
                *said,
                patron=who,
                amount=amount,
                currency=asked.fixed["currency type"].strip(),
                fee=asked.fields.get("CG", "").strip(),
                transaction=asked.fields.get("BK", ""),
            )
        )
    fields: dict[str, Value] = {
        "AO": context.institution,
        "AA": asked.fields.get("AA", ""),
        "BK": outcome.transaction or None,
        "AF": context.screen(outcome, patron=outcome.patron),
    }
    fixed = {"payment accepted": "Y" if outcome.ok else "N", "transaction date": context.stamp()}
    return Answer("38", fixed, fields, "ok" if outcome.ok else "refused")
