"""Holds and payments at Koha. Blocking a card and notes on items are not in its REST interface."""

from __future__ import annotations

import asyncio

from connectors.circulation.domain import Block, Outcome, Pay, Reserve
from connectors.circulation.koha import refusals
from connectors.circulation.koha.site import Site, text_of
from connectors.circulation.koha.views import hold_view, patron_view
from connectors.circulation.remote.paying import against, mark_of
from connectors.circulation.remote.system import CANNOT
from connectors.circulation.remote.values import Json, money


async def reserve(site: Site, asked: Reserve) -> Outcome:
    """Place, change or cancel a hold on a title. An item's barcode stands for its title."""
    patron, item, right = await asyncio.gather(
        site.patron(asked.patron.card), _item(site, asked), site.pin_right(asked.patron)
    )  # fmt: skip
    if right is False:
        return Outcome(False, "PIN_WRONG")
    if patron is None:
        return Outcome(False, "CARD_UNKNOWN")
    title = item["biblio_id"] if item else int(asked.title) if asked.title.isdecimal() else None
    if title is None and not (asked.hold and asked.change != "add"):
        return Outcome(False, "ITEM_UNKNOWN")
    shown = patron_view(site.settings, patron, asked.patron.card)
    if asked.change == "add":
        body: Json = {"patron_id": patron["patron_id"], "biblio_id": title}
        body["pickup_library_id"] = site.settings.theirs(asked.pickup) or patron.get("library_id")
        if asked.expires:
            body["expiration_date"] = asked.expires.astimezone(site.settings.zone).date().isoformat()
        reply = await site.change("POST", "/holds", body, branch=asked.branch)
        if reply.status == 403:
            return Outcome(False, refusals.of_hold(text_of(reply)), patron=shown)
        if reply.status in (400, 404):
            return Outcome(False, "ITEM_UNKNOWN", patron=shown)
    else:
        own = await hold_of(site, patron["patron_id"], title, asked.hold)
        if own is None:
            return Outcome(False, "HOLD_UNKNOWN")
        path = f"/holds/{own['hold_id']}"
        if asked.change == "delete":
            reply = await site.change("DELETE", path, branch=asked.branch)
        else:
            pickup = {"pickup_library_id": site.settings.theirs(asked.pickup) or own["pickup_library_id"]}
            reply = await site.change("PUT", path, pickup, branch=asked.branch)
        if reply.status == 404:
            return Outcome(False, "HOLD_UNKNOWN")
    if not reply.ok:
        raise site.odd(reply, "a hold")
    site.changed(card=asked.patron.card)
    hold = hold_view(site.settings, reply.data, {}) if asked.change != "delete" else None
    return Outcome(True, patron=shown, hold=hold)


async def hold_of(site: Site, patron_id: int, title: int | None, number: str = "") -> Json | None:
    """The patron's hold with a number, else the one on a title."""
    wanted: Json = {"hold_id": int(number)} if number.isdecimal() else {"biblio_id": title}
    rows = await site.rows("/holds", {"patron_id": patron_id} | wanted)
    return rows[0] if rows else None


async def _item(site: Site, asked: Reserve) -> Json | None:
    return await site.item(asked.item) if asked.item else None


async def pay(site: Site, asked: Pay) -> Outcome:
    """Write down money that was taken: off the fee that is named, else off the oldest. Its key is in Koha's note, so that it is found again."""
    patron = await site.patron(asked.patron.card)
    if patron is None:
        return Outcome(False, "CARD_UNKNOWN")
    if why := against(asked, site.settings.currency):
        return Outcome(False, why)
    path = f"/patrons/{patron['patron_id']}/account"
    account = await site.one(path)
    owed = money((account.get("outstanding_debits") or {}).get("total") or 0)
    body: Json = {
        "amount": float(asked.amount),
        "credit_type": "PAYMENT",
        "payment_type": site.settings.payment_type,
        "note": mark_of(asked),
    }
    if asked.branch:
        body["library_id"] = site.settings.theirs(asked.branch)
    if asked.fee.isdecimal():
        body["account_lines_ids"] = [int(asked.fee)]
    reply = await site.change("POST", f"{path}/credits", body, branch=asked.branch)
    if not reply.ok:
        raise site.odd(reply, "a payment")
    site.changed(card=asked.patron.card)
    left = max(asked.amount - owed, money(0))
    shown = patron_view(site.settings, patron, asked.patron.card)
    return Outcome(True, "PAID_TOO_MUCH" if left else "", patron=shown, fee=left, transaction=asked.transaction)


async def paid(site: Site, asked: Pay) -> Outcome | None:
    """What came of a payment that Koha has; PAID_PERHAPS when this Koha cannot list credits (GET .../account/credits is of 2023)."""
    patron = await site.patron(asked.patron.card)
    if patron is None:
        return None
    reply = await site.calls.ask(f"/api/v1/patrons/{patron['patron_id']}/account/credits", {"_per_page": "500", "_order_by": "-date"})
    if reply.status in (404, 405):
        return Outcome(False, "PAID_PERHAPS")
    if not reply.ok:
        raise site.odd(reply, "the credits of a patron")
    found = next((row for row in reply.data if (row.get("internal_note") or "").strip() == mark_of(asked)), None)
    if found is None:
        return None
    left = abs(money(found.get("amount_outstanding") or 0))
    return Outcome(True, "PAID_TOO_MUCH" if left else "", fee=left, transaction=asked.transaction)


async def block(site: Site, asked: Block) -> Outcome:
    """A machine's own block is never set (Koha has no call for it), so there is none to lift."""
    if asked.blocked:
        return CANNOT
    found = await site.patron(asked.patron.card)
    shown = patron_view(site.settings, found, asked.patron.card) if found else None
    return Outcome(found is not None, "" if found else "CARD_UNKNOWN", patron=shown)
