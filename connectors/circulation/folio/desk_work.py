"""Requests (holds), payments and blocks at FOLIO."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal

from connectors.circulation.domain import Block, Outcome, Pay, Reserve
from connectors.circulation.folio import cql, refusals
from connectors.circulation.folio.site import Site
from connectors.circulation.folio.views import hold_view, item_view
from connectors.circulation.remote.http import Reply
from connectors.circulation.remote.paying import against, mark_of
from connectors.circulation.remote.values import Json, money

BLOCK = "Card kept or blocked by a self-service machine"


async def reserve(site: Site, asked: Reserve) -> Outcome:
    """Place, change or cancel a request. An item that is on the shelf is paged, one that is not is held."""
    user, item = await asyncio.gather(site.let_in(asked.patron), _item(site, asked))
    if isinstance(user, str):
        return Outcome(False, user)
    instance = await site.instance_of(item) if item else asked.title
    number = asked.hold if asked.change != "add" else ""
    if not instance and not number:
        return Outcome(False, "ITEM_UNKNOWN")
    shown = await site.shown(user, asked.patron.card)
    if asked.change == "add":
        reply = await _placed(site, asked, user, item, instance)
        if reply.status == 422:
            return Outcome(False, _why(reply), patron=shown)
        if not reply.ok:
            raise site.odd(reply, "a request")
        site.changed(asked.patron.card)
        return Outcome(True, patron=shown, hold=hold_view(site.settings, reply.data))
    own = await request_of(site, user["id"], instance, number)
    if own is None:
        return Outcome(False, "HOLD_UNKNOWN")
    changed = own | ({"pickupServicePointId": site.settings.theirs(asked.pickup)} if asked.pickup else {})
    if asked.change == "delete":
        reply = await cancelled(site, own, asked.at)
    else:
        reply = await site.calls.change("PUT", f"/circulation/requests/{own['id']}", changed)
    if reply.status in (404, 422):
        return Outcome(False, "HOLD_UNKNOWN" if reply.status == 404 else refusals.reason(reply.data), patron=shown)
    if not reply.ok:
        raise site.odd(reply, "a change of a request")
    site.changed(asked.patron.card)
    return Outcome(True, patron=shown, hold=None if asked.change == "delete" else hold_view(site.settings, changed))


async def cancelled(site: Site, request: Json, at: datetime) -> Reply:
    """Close a request, by the reason of the settings."""
    closed = {
        "status": "Closed - Cancelled",
        "cancellationReasonId": site.settings.cancellation,
        "cancelledDate": at.isoformat(timespec="milliseconds"),
    }
    return await site.calls.change("PUT", f"/circulation/requests/{request['id']}", request | closed)


async def _placed(site: Site, asked: Reserve, user: Json, item: Json | None, instance: str) -> Reply:
    body: Json = {
        "requesterId": user["id"], "instanceId": instance, "requestDate": asked.at.isoformat(timespec="milliseconds"),
        "fulfillmentPreference": "Hold Shelf", "pickupServicePointId": site.settings.theirs(asked.pickup or asked.branch),
    }  # fmt: skip
    if asked.expires:
        body["requestExpirationDate"] = asked.expires.isoformat(timespec="milliseconds")
    if item is not None:
        available = item_view(site.settings, item).status == "available"
        body |= {"requestLevel": "Item", "itemId": item["id"], "holdingsRecordId": item.get("holdingsRecordId"),
                 "requestType": "Page" if available else "Hold"}  # fmt: skip
        return await site.calls.change("POST", "/circulation/requests", body)
    reply = await site.calls.change("POST", "/circulation/requests", body | {"requestLevel": "Title", "requestType": "Hold"})
    codes = [error.get("code") for error in refusals.errors_of(reply.data)] if reply.status == 422 else []
    if "HOLD_AND_RECALL_TLR_NOT_ALLOWED_PAGEABLE_AVAILABLE_ITEM_FOUND" in codes:
        reply = await site.calls.change("POST", "/circulation/requests", body | {"requestLevel": "Title", "requestType": "Page"})
    return reply


def _why(reply: Reply) -> str:
    why = refusals.reason(reply.data)
    return "TOO_MANY_HOLDS" if any("requesting" in error.get("message", "") for error in refusals.errors_of(reply.data)) else why


async def request_of(site: Site, user_id: str, instance: str, number: str = "") -> Json | None:
    """The user's open request by its number, else for an instance or an item of it."""
    name, wanted = ("id", number) if number else ("instanceId", instance)
    return next((one for one in await site.requests("requesterId", user_id) if one.get(name) == wanted), None)


async def _item(site: Site, asked: Reserve) -> Json | None:
    return await site.item(asked.item) if asked.item else None


async def pay(site: Site, asked: Pay) -> Outcome:
    """Write down money that was taken. FOLIO takes no more than is owed: what is left over is told, and staff see it as a conflict."""
    user = await site.user(asked.patron.card)
    if user is None:
        return Outcome(False, "CARD_UNKNOWN")
    if why := against(asked, site.settings.currency):
        return Outcome(False, why)
    accounts = await site.accounts(user["id"])
    if asked.fee:
        accounts = [one for one in accounts if one["id"] == asked.fee]
    owed = sum((money(one["remaining"]) for one in accounts), Decimal(0))
    taken = min(asked.amount, owed)
    if taken:
        body: Json = {
            "accountIds": [one["id"] for one in accounts], "amount": f"{taken:.2f}", "notifyPatron": False, "transactionInfo": mark_of(asked),
            "servicePointId": site.settings.theirs(asked.branch), "userName": "Bindery", "paymentMethod": site.settings.payment_method,
        }  # fmt: skip
        reply = await site.calls.change("POST", "/accounts-bulk/pay", body)
        if reply.status == 422:
            return Outcome(False, "AMOUNT_WRONG", patron=await site.shown(user, asked.patron.card))
        if not reply.ok:
            raise site.odd(reply, "a payment")
        site.changed(asked.patron.card)
    left = asked.amount - taken
    shown = await site.shown(user, asked.patron.card)
    return Outcome(True, "PAID_TOO_MUCH" if left else "", patron=shown, fee=left, transaction=asked.transaction)


async def paid(site: Site, asked: Pay) -> Outcome | None:
    """What came of a payment that FOLIO has: one action for each fee that it went to."""
    user = await site.user(asked.patron.card)
    if user is None:
        return None
    query = cql.both(cql.same("userId", user["id"]), cql.same("transactionInformation", mark_of(asked)))
    rows = await site.rows("/feefineactions", "feefineactions", query)
    left = asked.amount - sum((money(row["amountAction"]) for row in rows), Decimal(0))
    return Outcome(True, "PAID_TOO_MUCH" if left else "", fee=left, transaction=asked.transaction) if rows else None


async def block(site: Site, asked: Block) -> Outcome:
    """A manual block of the machine's own, or its end; blocks that staff have set stay."""
    user = await site.user(asked.patron.card)
    if user is None:
        return Outcome(False, "CARD_UNKNOWN")
    own = await blocks_of(site, user["id"])
    if asked.blocked and not own:
        body: Json = {"type": "Manual", "desc": BLOCK, "staffInformation": asked.message, "borrowing": True, "renewals": True, "requests": True,
                      "userId": user["id"]}  # fmt: skip
        replies = [await site.calls.change("POST", "/manualblocks", body)]
    else:
        replies = [] if asked.blocked else [await site.calls.change("DELETE", f"/manualblocks/{one['id']}") for one in own]
    for reply in replies:
        if not reply.ok and reply.status != 404:
            raise site.odd(reply, "a block")
    site.changed(asked.patron.card)
    return Outcome(True, patron=await site.shown(user, asked.patron.card))


async def blocks_of(site: Site, user_id: str) -> list[Json]:
    """The machine's own blocks of a user."""
    found = await site.rows("/manualblocks", "manualblocks", cql.both(cql.same("userId", user_id)))
    return [one for one in found if one.get("desc") == BLOCK]
